/** The version of Amalgam: what commands, manifests, metrics and sessions say. All packages have the same. */
export const VERSION = "0.1.0";

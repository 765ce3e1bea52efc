/** Version of this package, as coordinators and metrics are told. */
export const VERSION = "0.1.0";

// Why a lease ended that nobody can take over: what the candidate is merged with is not where it was said to be.
import { AmalgamError } from "@amalgam/runtime";

export class GivenInputLost extends AmalgamError {
  /** sha256 (hex) of the terms that could not be had. */
  readonly lost: readonly string[];

  constructor(message: string, lost: readonly string[]) {
    super("aborted", message);
    this.lost = lost;
  }
}

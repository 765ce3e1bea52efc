/** The one error this package throws: a malformed space, value, outcome or event log. The message says what to change. */
export class StudyError extends Error {
  override readonly name = "StudyError";
}

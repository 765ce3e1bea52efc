/** What a search writes beside its model for programs: all candidates, and the study, from which another search can start. */
export const HISTORY_FILE = "search.json";

/** A process that appends to a journal until it is killed; prints the number of each event once it is in the journal. */
import { writeSync } from "node:fs";
import { openJournal } from "../journal.ts";

const journal = openJournal(process.argv[2]!);
const [jobId = "job"] = process.argv.slice(3);
for (let shard = journal.events(jobId).length; ; shard++) {
  journal.append(jobId, [{ type: "shardWritten", shard, segmentSha256: ["0".repeat(64)] }]);
  writeSync(1, `${shard}\n`);
}

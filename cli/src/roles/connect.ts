// A client of a coordinator somewhere else, for the commands that talk to one.
import { CoordinatorService } from "@amalgam/proto";
import { AmalgamError, createClient, type OwnedClient, toAmalgamError } from "@amalgam/runtime";

/** Runs `work` with a client of the coordinator at `address`; one that cannot be reached is named in the error. */
export async function withCoordinator<T>(
  address: string,
  work: (client: OwnedClient<typeof CoordinatorService>) => Promise<T>,
): Promise<T> {
  await using client = createClient(CoordinatorService, address);
  try {
    return await work(client);
  } catch (thrown) {
    const error = toAmalgamError(thrown);
    // A job that failed because something else was away has that as its problem: no call failed, so there is no status.
    const isCall = typeof (error.cause as { code?: unknown } | undefined)?.code === "number";
    if (error.code !== "unavailable" || !isCall) throw thrown;
    throw new AmalgamError(
      "unavailable",
      `cannot reach a coordinator at ${address} (${error.message}); start one with \`amalgam coordinator\`, or name it with --coordinator`,
      { cause: thrown },
    );
  }
}

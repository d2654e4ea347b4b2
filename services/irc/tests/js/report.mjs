// What all clients share: events as JSON lines on standard output, commands as JSON lines on standard input.
import { createInterface } from "node:readline";

export const [host, port, channel, token] = process.argv.slice(2);

export function report(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

// Calls the function of each command and reports its result: `done`, or `failed` with the reason.
export function obey(functions) {
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const { command, ...fields } = JSON.parse(line);
    try {
      await functions[command](fields);
      report("done", { command });
    } catch (error) {
      report("failed", { command, reason: String(error?.message ?? error) });
    }
  });
}

// Uploads a file with the unmodified tus-js-client. Standard input has one JSON line; each event is one JSON line.
import { createReadStream, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { FileUrlStorage, Upload } from "tus-js-client";

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

async function main(line) {
  const { endpoint, token, file, storage, chunk, parts, metadata } = JSON.parse(line);
  const upload = new Upload(createReadStream(file), {
    endpoint,
    metadata,
    headers: { Authorization: `Bearer ${token}` },
    ...(parts === 1 && { uploadSize: statSync(file).size }),
    chunkSize: chunk,
    parallelUploads: parts,
    retryDelays: Array(40).fill(250),
    urlStorage: new FileUrlStorage(storage),
    fingerprint: async () => file,
    onProgress: (sent) => say({ sent }),
    onError: (error) => say({ error: String(error) }),
    onSuccess: () => {
      say({ done: upload.url });
      process.exit(0);
    },
    onShouldRetry: () => true,
  });
  const [previous] = await upload.findPreviousUploads();
  if (previous) upload.resumeFromPreviousUpload(previous);
  say({ resumes: Boolean(previous) });
  upload.start();
}

createInterface({ input: process.stdin }).once("line", main);

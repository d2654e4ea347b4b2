// A receiver of webhooks: verifies each request, drops doubles, and prints the events.
//   WEBHOOK_SECRET=whsec_... node webhook_receiver.mjs 9000
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const seen = new Set(); // In production: a table with the ids of the last days.

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const id = request.headers['webhook-id'];
    try {
      const event = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
      if (!seen.has(id)) console.log(JSON.stringify({ id, ...event }));
      seen.add(id);
      response.writeHead(204).end();
    } catch {
      response.writeHead(400).end('the signature is wrong');
    }
  });
});
const announce = () => console.error(`listening on ${server.address().port}`);
server.listen(Number(process.argv[2] ?? 9000), '127.0.0.1', announce);

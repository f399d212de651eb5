// A server that takes requests while its lease is valid, finishes them while it drains, and says which of it to whoever asks:
//
//     migrate agent --service web --version 1.2.0 --status-socket run/web.sock -- node server.mjs

import { createServer } from "node:http";

import { lease } from "./lease.mjs";

const server = createServer((request, response) => {
  const ready = lease.state === "valid";
  if (request.url === "/ready") {
    response.writeHead(ready ? 200 : 503, { "content-type": "application/json" });
    response.end(JSON.stringify(lease.told));
  } else if (ready) {
    response.end("hello\n");
  } else {
    response.writeHead(503, { "retry-after": "1" });
    response.end();
  }
});

lease.on("change", (told) => console.log(`lease: ${told.state}`));
process.on("SIGTERM", () => {
  // For as long as whoever hands out requests needs to see that this one goes; then what was begun is finished.
  setTimeout(() => server.close(), Number(process.env.DRAIN_MS ?? 5000));
});
server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});

// A stock @automerge/automerge-repo client, driven by lines as in documents.js, and by { "do": "connect" | "disconnect" }.
// Only the adapter is ours: it fetches a new one-use socket ticket before every connection.
//
//   node stock_client.js <server, e.g. http://127.0.0.1:8080> <access token>

import { Repo } from "@automerge/automerge-repo";
import { WebSocketClientAdapter } from "@automerge/automerge-repo-network-websocket";
import { answerLines, documentsOf } from "./documents.js";

const [server, accessToken] = process.argv.slice(2);
const socketUrl = `${server.replace(/^http/, "ws")}/v1/sync`;

async function fetchTicket() {
  const response = await fetch(`${server}/v1/sync/ticket`, {
    method: "POST",
    headers: { authorization: `Bearer ${accessToken}` },
  });
  if (!response.ok) throw new Error(`ticket refused with ${response.status}`);
  return (await response.json()).ticket;
}

/** The stock adapter with a new ticket in the URL of each connection, and silent while `wanted` is false. */
class TicketAdapter extends WebSocketClientAdapter {
  wanted = true;
  #fetching = false;
  #known;

  connect(peerId, peerMetadata) {
    this.#known ??= [peerId, peerMetadata];
    if (!this.wanted || this.#fetching || (this.socket && this.socket.readyState <= 1)) return;
    this.#fetching = true;
    fetchTicket()
      .then((ticket) => {
        this.url = `${socketUrl}?ticket=${encodeURIComponent(ticket)}`;
        super.connect(...this.#known);
      })
      .catch((error) => setTimeout(() => this.connect(...this.#known), 100, console.error(error.message)))
      .finally(() => (this.#fetching = false));
  }

  resume() {
    this.wanted = true;
    this.connect(...this.#known);
  }

  pause() {
    this.wanted = false;
    if (this.socket) this.disconnect();
  }
}

// The stock adapter throws socket errors other than ECONNREFUSED out of its event handler; it reconnects all the same.
process.on("uncaughtException", (error) => console.error(error.message));

const adapter = new TicketAdapter(socketUrl, 100);
const repo = new Repo({ network: [adapter] });
await answerLines({
  ...documentsOf(repo),
  connect: () => adapter.resume(),
  disconnect: () => adapter.pause(),
});

// A stock automerge-repo sync server: the published adapter and a storage that lasts as long as the process. It is also
// driven by lines as in documents.js, as a further user; its first line names the port.

import { WebSocketServer } from "ws";
import { Repo } from "@automerge/automerge-repo";
import { WebSocketServerAdapter } from "@automerge/automerge-repo-network-websocket";
import { answerLines, documentsOf } from "./documents.js";

/** What the published storage adapters keep in files, in memory. */
class MemoryStorage {
  #chunks = new Map();
  #within = (prefix) => [...this.#chunks.values()].filter(({ key }) => prefix.every((part, at) => key[at] === part));
  load = async (key) => this.#chunks.get(key.join("/"))?.data;
  save = async (key, data) => void this.#chunks.set(key.join("/"), { key, data });
  remove = async (key) => void this.#chunks.delete(key.join("/"));
  loadRange = async (prefix) => this.#within(prefix);
  removeRange = async (prefix) => this.#within(prefix).forEach(({ key }) => this.#chunks.delete(key.join("/")));
}

const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
const repo = new Repo({
  network: [new WebSocketServerAdapter(sockets)],
  storage: new MemoryStorage(),
  // As the published server: it tells nobody of documents that they did not ask for.
  sharePolicy: async () => false,
});
sockets.on("listening", () => console.log(JSON.stringify({ port: sockets.address().port })));
await answerLines(documentsOf(repo));

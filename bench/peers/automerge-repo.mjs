// The JavaScript sync server: what the repository automerge-repo-sync-server does in its index file, on a loopback address.
// usage: node automerge-repo.mjs 127.0.0.1:PORT FOLDER
import { mkdirSync } from "node:fs";
import { WebSocketServer } from "ws";
import { Repo } from "@automerge/automerge-repo";
import { NodeWSServerAdapter } from "@automerge/automerge-repo-network-websocket";
import { NodeFSStorageAdapter } from "@automerge/automerge-repo-storage-nodefs";

const [address, folder] = process.argv.slice(2);
const [host, port] = address.split(":");
mkdirSync(folder, { recursive: true });
const sockets = new WebSocketServer({ host, port: Number(port) });
new Repo({
  network: [new NodeWSServerAdapter(sockets)],
  storage: new NodeFSStorageAdapter(folder),
  peerId: "storage-server-bench",
  // As in the original: documents go to those who ask for them.
  sharePolicy: async () => false,
});

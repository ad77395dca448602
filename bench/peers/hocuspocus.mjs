// A minimal hocuspocus server that stores each document as a file, with its own delays before storing.
// usage: node hocuspocus.mjs 127.0.0.1:PORT FOLDER
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Server } from "@hocuspocus/server";
import * as Y from "yjs";

const [address, folder] = process.argv.slice(2);
const [host, port] = address.split(":");
mkdirSync(folder, { recursive: true });
const file = (name) => join(folder, encodeURIComponent(name));
const server = new Server({
  address: host,
  port: Number(port),
  quiet: true,
  async onLoadDocument({ documentName, document }) {
    if (existsSync(file(documentName))) Y.applyUpdate(document, readFileSync(file(documentName)));
    return document;
  },
  async onStoreDocument({ documentName, document }) {
    await writeFile(file(documentName), Y.encodeStateAsUpdate(document));
  },
});
await server.listen();

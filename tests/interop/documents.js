// What stock repos are asked: one JSON command per line on stdin, one line each in answer. Documents are named as
// automerge-repo writes their ids, in Base58 with check; indices count UTF-16 units; heads are hex.
//
// { "do": "find" | "text" | "heads" | "acknowledged" | "carets", "document": "…" }
// { "do": "splice", "document": "…", "at": 0, "delete": 0, "insert": "…" }, { "do": "put", "document": "…", "key": "…", "value": … }
// { "do": "everything" | "json", "document": "…" }, { "do": "counter" | "increment", "document": "…", "key": "…", "value": 0 }
// { "do": "show", "document": "…", "cursor": "<hex>", "typing": true }, { "do": "invent", "body": "…" }, { "do": "stop" }

import { createInterface } from "node:readline";
import { decodeHeads, splice } from "@automerge/automerge-repo";
import { everything, json, putCounter } from "./everything.js";

export function documentsOf(repo) {
  const handles = new Map();
  const carets = new Map();
  const hex = (bytes) => Buffer.from(bytes).toString("hex");
  const heads = (handle) => decodeHeads(handle.heads()).toSorted();
  const text = ({ document }) => ({ text: handles.get(document).doc().body ?? "" });

  async function find({ document }) {
    // Otherwise a slow connection looks like an unavailable document.
    while (repo.peers.length === 0) await new Promise((resolve) => repo.networkSubsystem.once("peer", resolve));
    try {
      const handle = await repo.find(`automerge:${document}`);
      await handle.whenReady();
      if (!handles.has(document)) {
        carets.set(document, []);
        handle.on("ephemeral-message", ({ message: { v, cursor, typing } }) => {
          carets.get(document).push({ v, cursor: hex(cursor), typing });
        });
      }
      handles.set(document, handle);
      return text({ document });
    } catch (error) {
      if (/unavailable/.test(error.message)) return { unavailable: true };
      throw error;
    }
  }

  /** Whether a peer with a storage has said that it has exactly what is here. */
  function acknowledged({ document }) {
    const handle = handles.get(document);
    const storages = repo.peers.map((peer) => repo.getStorageIdOfPeer(peer)).filter(Boolean);
    const theirs = storages.map((storage) => handle.getSyncInfo(storage)?.lastHeads ?? []);
    const ours = handle.heads().toSorted().join();
    return { acknowledged: theirs.some((heads) => heads.toSorted().join() === ours) };
  }

  return {
    find,
    text,
    acknowledged,
    heads: ({ document }) => ({ heads: heads(handles.get(document)) }),
    carets: ({ document }) => ({ carets: carets.get(document) }),
    splice: ({ document, at, delete: count, insert }) => {
      handles.get(document).change((memo) => splice(memo, ["body"], at, count, insert));
    },
    put: ({ document, key, value }) => {
      handles.get(document).change((root) => {
        root[key] = value;
      });
    },
    everything: ({ document }) => everything(handles.get(document)),
    json: ({ document }) => json(handles.get(document)),
    counter: ({ document, key, value }) => putCounter(handles.get(document), key, value),
    increment: ({ document, key, value }) => handles.get(document).change((root) => root[key].increment(value)),
    show: ({ document, cursor, typing }) => {
      handles.get(document).broadcast({ v: 1, cursor: Uint8Array.from(Buffer.from(cursor, "hex")), typing });
    },
    invent: ({ body }) => ({ document: repo.create({ body }).documentId }),
    stop: () => process.exit(0),
  };
}

/** Answers until stdin ends, and ends the process then. */
export async function answerLines(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    try {
      console.log(JSON.stringify({ done: command.do, ...(await commands[command.do](command)) }));
    } catch (error) {
      console.log(JSON.stringify({ failed: command.do, why: String(error) }));
    }
  }
  process.exit(0);
}

// Makes a component of rotate-service.js: node build.js WIT OUT
//
// WIT is the world `service` as one text, as world.js prints it: the sandbox of this version of componentize-js reads no folder. Its
// engine serves wasi:http 0.2.3 and no older one, so the text is raised to that; the two versions differ in nothing but their number.

import { readFile, writeFile } from "node:fs/promises";

import { componentize } from "@bytecodealliance/componentize-js-0-19-3";

const [wit, out] = process.argv.slice(2);
const witWorld = (await readFile(wit, "utf8")).replaceAll("@0.2.2", "@0.2.3");
const source = new URL("rotate-service.js", import.meta.url).pathname;
const { component } = await componentize({ sourcePath: source, witWorld, worldName: "service" });
await writeFile(out, component);

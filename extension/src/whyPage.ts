/** An explanation as an HTML page: no scripts, everything escaped, in the colours of the theme. */

import * as l10n from "@vscode/l10n";
import type { Explanation, Segment } from "./protocol";

const STYLE = `
body { padding: 1.2rem 1.6rem 3rem; max-width: 60rem; margin: 0 auto; line-height: 1.55;
  color: var(--vscode-editor-foreground); background: var(--vscode-editor-background); font-family: var(--vscode-font-family); }
h1 { font-size: 1.5rem; font-weight: 620; margin: 0 0 1rem; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; margin: 0; }
dt { color: var(--vscode-descriptionForeground); } dd { margin: 0; }
pre, .code { font-family: var(--vscode-editor-font-family); font-size: var(--vscode-editor-font-size); }
pre { padding: .9rem 1rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; border-radius: 6px;
  border: 1px solid var(--vscode-contrastBorder, var(--vscode-editorWidget-border)); background: var(--vscode-textCodeBlock-background); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td { padding: .15rem 1.4rem .15rem 0; } td + td { text-align: right; }
.legend span { margin-right: 1.2rem; }
.token { color: var(--vscode-charts-purple); font-weight: 600; }
.path { color: var(--vscode-charts-blue); }
.snippet { color: var(--vscode-charts-green); }
.prefix { color: var(--vscode-editor-foreground); }
.suffix { color: var(--vscode-charts-orange); }
`;

/** The page for a webview; null: nothing was asked for yet. */
export function whyPage(why: Explanation | null): string {
  const title = l10n.t("Why This Suggestion?");
  const body = why === null ? `<p>${text(l10n.t("No completion was asked for yet: type something first."))}</p>` : sections(why);
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(title)}</title><style>${STYLE}</style></head>
<body><main>${body}</main></body></html>`;
}

/** Text and attribute values, safe wherever they stand. */
export function text(raw: string): string {
  return raw.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function sections(why: Explanation): string {
  const facts: [string, string][] = [
    [l10n.t("Place"), `${why.path}:${why.line}`],
    [l10n.t("Reason"), why.reason],
    [l10n.t("Answered by"), why.answeredBy],
    [l10n.t("Model"), why.model],
    [l10n.t("Adapter"), why.adapter ?? (why.model === "" ? "" : l10n.t("none, the base alone"))],
  ];
  const parts = [`<h1>${text(why.sentence)}</h1>`, definitions(facts.filter(([, value]) => value !== ""))];
  parts.push(section(l10n.t("Milliseconds"), stages(why.timings)));
  parts.push(section(l10n.t("Filters"), list(why.filters)));
  parts.push(section(l10n.t("Other places"), list(why.snippets)));
  parts.push(section(l10n.t("What the model wrote"), block(why.raw)));
  parts.push(section(l10n.t("What is shown of it"), block(why.text)));
  parts.push(section(l10n.t("The prompt as it was sent"), prompt(why.segments)));
  return parts.join("\n");
}

function section(title: string, content: string): string {
  return content === "" ? "" : `<section><h2>${text(title)}</h2>${content}</section>`;
}

function definitions(facts: readonly [string, string][]): string {
  return `<dl>${facts.map(([name, value]) => `<dt>${text(name)}</dt><dd class="code">${text(value)}</dd>`).join("")}</dl>`;
}

function stages(timings: Readonly<Record<string, number>>): string {
  const rows = Object.entries(timings)
    .filter(([name]) => name.endsWith("_ms") && !name.includes("_per_"))
    .map(([name, value]) => `<tr><td>${text(stageWords(name.slice(0, -3)))}</td><td>${value.toFixed(1)}</td></tr>`);
  return rows.length === 0 ? "" : `<table>${rows.join("")}</table>`;
}

/** What a stage is called where people read it; one that only a newer server has keeps its name. */
function stageWords(name: string): string {
  const words: Readonly<Record<string, string>> = {
    snippets: l10n.t("looking for similar places"),
    window: l10n.t("laying out the prompt"),
    engine: l10n.t("the engine, from the request to its last word"),
    first: l10n.t("until its first word"),
    queue: l10n.t("waiting for its turn"),
    prompt: l10n.t("reading the prompt"),
    predicted: l10n.t("writing"),
    total: l10n.t("the whole answer"),
  };
  return words[name] ?? name;
}

function list(entries: readonly string[]): string {
  return entries.length === 0 ? "" : `<ul class="code">${entries.map((entry) => `<li>${text(entry)}</li>`).join("")}</ul>`;
}

function block(content: string): string {
  return content === "" ? "" : `<pre>${text(content)}</pre>`;
}

function prompt(segments: readonly Segment[]): string {
  if (segments.length === 0) {
    return "";
  }
  const names: Record<Segment["kind"], string> = {
    token: l10n.t("control token"),
    path: l10n.t("path"),
    snippet: l10n.t("other place"),
    prefix: l10n.t("before the cursor"),
    suffix: l10n.t("after the cursor"),
  };
  const used = new Set(segments.map(({ kind }) => kind));
  const legend = [...used].map((kind) => `<span class="${kind}">${text(names[kind])}</span>`).join("");
  const spans = segments.map(({ kind, text: raw }) => `<span class="${kind}" title="${text(names[kind])}">${text(raw)}</span>`);
  return `<p class="legend">${legend}</p><pre>${spans.join("")}</pre>`;
}

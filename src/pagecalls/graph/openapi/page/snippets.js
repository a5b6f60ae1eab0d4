// Fills the templates of snippets.py while somebody types. The rules are the same on both sides; a test compares them.

const quoteText = (text) => JSON.stringify(text);
const quoteShell = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

function python(value, margin = "") {
  const inner = margin + "    ";
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value) && value.length) {
    return "[\n" + value.map((item) => `${inner}${python(item, inner)},\n`).join("") + margin + "]";
  }
  if (typeof value === "object" && Object.keys(value).length) {
    const lines = Object.entries(value).map(([name, item]) => `${inner}${quoteText(name)}: ${python(item, inner)},\n`);
    return "{\n" + lines.join("") + margin + "}";
  }
  return JSON.stringify(value);
}

const LANGUAGES = {
  curl: {
    margins: false,
    header: (value) => quoteShell(`Authorization: ${value}`),
    text: quoteShell,
    body: (value) => quoteShell(JSON.stringify(value, null, 2)),
  },
  javascript: {
    margins: true,
    header: quoteText,
    text: quoteText,
    body: (value) => JSON.stringify(value, null, 2),
  },
  python: { margins: true, header: quoteText, text: quoteText, body: (value) => python(value) },
};

/** The code. `authorization` is the header's value, null where the token is in the query; `body` is a decoded JSON value. */
export function fill(language, template, { url, authorization, body }) {
  const rules = LANGUAGES[language];
  const values = {
    url: rules.text(url),
    authorization: authorization === null ? null : rules.header(authorization),
    body: rules.body(body),
  };
  const lines = [];
  for (const line of template.split("\n")) {
    const mark = /\{\{(url|authorization|body)\}\}/.exec(line);
    if (mark === null) {
      lines.push(line);
    } else if (values[mark[1]] !== null) {
      const margin = rules.margins ? /^\s*/.exec(line)[0] : "";
      const value = values[mark[1]].replaceAll("\n", `\n${margin}`);
      lines.push(line.slice(0, mark.index) + value + line.slice(mark.index + mark[0].length));
    }
  }
  return lines.join("\n");
}

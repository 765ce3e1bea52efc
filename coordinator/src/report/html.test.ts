import { expect, test } from "vitest";
import { escapeHtml, html } from "./html.ts";

test("strings in a template are escaped, markup and arrays of markup are kept, undefined is nothing", () => {
  const inner = [1, 2].map((each) => html`<i>${each}</i>`);
  expect(html`<b title="${`"'`}">${"<&>"}${inner}${undefined}</b>`.text).toBe(
    `<b title="&quot;&#39;">&lt;&amp;&gt;<i>1</i><i>2</i></b>`,
  );
});

test("control characters do not reach the page", () => {
  expect(escapeHtml("a\u0000b\u001bc\nd\te")).toBe("a\uFFFDb\uFFFDc\nd\te");
});

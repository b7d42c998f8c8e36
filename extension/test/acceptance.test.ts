/** The inference against gestures whose events are known. */

import { beforeEach, describe, expect, test } from "vitest";
import { Acceptance, type Change, type Place, SHOWN_AFTER_MS, type Suggestion } from "../src/acceptance";

const URI = "file:///a.py";
const TEXT = "return total\n    # done";
let told: string[];
let acceptance: Acceptance;
let now: number;

beforeEach(() => {
  told = [];
  now = 1000;
  acceptance = new Acceptance(({ id, kind, characters, inferred }) => {
    expect(inferred).toBe(true);
    told.push(characters === 0 ? `${id} ${kind}` : `${id} ${kind} ${characters}`);
  });
});

const at = (line: number, character: number): Place => ({ line, character });

function suggestion(more: Partial<Suggestion> = {}): Suggestion {
  return { id: "a", uri: URI, cursor: at(3, 4), start: at(3, 4), text: TEXT, ...more };
}

function returned(more: Partial<Suggestion> = {}): void {
  acceptance.returned(suggestion(more), now);
}

function wait(milliseconds: number): void {
  now += milliseconds;
  acceptance.tick(now);
}

/** An edit as VS Code reports it: the change first, then where the cursor is. */
function edit(text: string, start: Place, cursor: Place): void {
  const change: Change = { text, start };
  acceptance.changed(URI, [change], now);
  acceptance.moved(URI, cursor);
}

describe("shown", () => {
  test("is what stood still at the cursor for a while, once", () => {
    returned();
    wait(SHOWN_AFTER_MS - 1);
    expect(told).toEqual([]);
    wait(1);
    wait(5000);
    expect(told).toEqual(["a shown"]);
    expect(acceptance.due).toBeUndefined();
  });

  test("is not what the user typed over at once", () => {
    returned();
    wait(100);
    edit("x", at(3, 4), at(3, 5));
    wait(5000);
    expect(told).toEqual([]);
  });

  test("the wait begins anew while the user types along", () => {
    returned();
    wait(400);
    edit("r", at(3, 4), at(3, 5));
    wait(400);
    expect(told).toEqual([]);
    wait(100);
    expect(told).toEqual(["a shown"]);
  });
});

describe("accepted", () => {
  test("whole, by Tab: it was shown, and the command counts the rest", () => {
    returned();
    edit(TEXT, at(3, 4), at(4, 10));
    wait(5000);
    expect(told).toEqual(["a shown"]);
  });

  test("whole, in place of what was typed and of what stands behind", () => {
    returned({ start: at(3, 2), text: "  return total)" });
    wait(600);
    edit("  return total)", at(3, 2), at(3, 17));
    expect(told).toEqual(["a shown"]);
  });

  test("word by word, then the rest", () => {
    returned();
    wait(600);
    edit("return", at(3, 4), at(3, 10));
    edit(" total", at(3, 10), at(3, 16));
    edit("\n    # done", at(3, 16), at(4, 10));
    expect(told).toEqual(["a shown", "a partlyAccepted 6", "a partlyAccepted 6"]);
  });

  test("a line of several, with Windows' line ends", () => {
    returned({ text: "one()\r\n    two()" });
    edit("one()\r\n    ", at(3, 4), at(4, 4));
    edit("two()", at(4, 4), at(4, 9));
    expect(told).toEqual(["a shown", "a partlyAccepted 11"]);
  });

  test("a word implies that it was shown, however fast", () => {
    returned();
    edit("return", at(3, 4), at(3, 10));
    expect(told).toEqual(["a shown", "a partlyAccepted 6"]);
  });
});

describe("typed along", () => {
  test("is neither taken nor dismissed", () => {
    returned();
    wait(600);
    edit("r", at(3, 4), at(3, 5));
    edit("e", at(3, 5), at(3, 6));
    expect(told).toEqual(["a shown"]);
  });

  test("an answer that goes on with it is the same suggestion, shown once", () => {
    returned();
    wait(600);
    edit("r", at(3, 4), at(3, 5));
    returned({ cursor: at(3, 5), start: at(3, 5), text: TEXT.slice(1) });
    wait(600);
    edit(TEXT.slice(1), at(3, 5), at(4, 10));
    expect(told).toEqual(["a shown"]);
  });

  test("an emoji and a pair that closes itself are one key", () => {
    returned({ text: "😀()" });
    edit("😀", at(3, 4), at(3, 6));
    edit("()", at(3, 6), at(3, 8));
    expect(told).toEqual(["a shown"]);
  });

  test.each([
    ["()", "(a, b)", "a, b)"],
    ["[]", "[0] += 1", "0] += 1"],
    ['""', '"name": 1', 'name": 1'],
  ])("a pair that closes itself is the key that opens it: %s along %s", (pair, text, rest) => {
    returned({ text });
    wait(600);
    edit(pair, at(3, 4), at(3, 5));
    edit(rest, at(3, 5), at(3, 5 + rest.length));
    expect(told).toEqual(["a shown"]);
  });

  test("a pair that the suggestion does not open is something else", () => {
    returned({ text: "[0]" });
    wait(600);
    edit("()", at(3, 4), at(3, 5));
    expect(told).toEqual(["a shown", "a dismissed"]);
  });
});

describe("dismissed", () => {
  const gestures: [string, () => void][] = [
    ["the cursor moves", () => { acceptance.moved(URI, at(7, 0)); }],
    ["something is selected", () => { acceptance.moved(URI, undefined); }],
    ["something else is typed", () => { edit("x", at(3, 4), at(3, 5)); }],
    ["something is deleted", () => { edit("", at(3, 3), at(3, 3)); }],
    ["a formatter runs", () => { acceptance.changed(URI, [{ start: at(0, 0), text: "" }, { start: at(2, 0), text: " " }], now); }],
    ["another document comes to the front", () => { acceptance.left(); }],
    ["the next request has another answer", () => { returned({ id: "b" }); }],
    ["the next request has none, as after Escape", () => { acceptance.returned(undefined, now); }],
  ];
  test.each(gestures)("%s", (_name, gesture) => {
    returned();
    wait(600);
    gesture();
    expect(told).toEqual(["a shown", "a dismissed"]);
    gesture();
    expect(told).toEqual(["a shown", "a dismissed"]);
  });

  test.each(gestures)("not before it was shown: %s", (_name, gesture) => {
    returned();
    gesture();
    expect(told).toEqual([]);
  });

  test("other documents do not matter", () => {
    returned();
    wait(600);
    acceptance.changed("file:///b.py", [{ start: at(0, 0), text: "x" }], now);
    acceptance.moved("file:///b.py", at(0, 0));
    expect(told).toEqual(["a shown"]);
  });
});

/**
 * What became of a suggestion, concluded from what happens in its document; knows nothing of VS Code.
 *
 * The stable API tells of whole acceptances alone (the item's command, which the server counts). So
 * shown is: returned, and the cursor stood still at it for a while, or it was taken. Partly accepted:
 * a beginning of it was inserted at the cursor in one go. Dismissed: it had been shown, and the cursor
 * went elsewhere or something else was typed. Escape cannot be seen; what happens next can.
 */

import type { Event } from "./protocol";

export const SHOWN_AFTER_MS = 500;

/** Lines and characters count from 0, in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly character: number;
}

/** A suggestion as the editor was given it: `text` takes the place of what stands from `start` on. */
export interface Suggestion {
  readonly id: string;
  readonly uri: string;
  readonly cursor: Place;
  readonly start: Place;
  readonly text: string;
}

/** One edit of a document: `text` now stands where something (or nothing) began at `start`. */
export interface Change {
  readonly start: Place;
  readonly text: string;
}

interface Current {
  readonly id: string;
  readonly uri: string;
  /** Where the whole of it would go, if nothing was taken of it yet. */
  readonly start: Place;
  readonly whole: string;
  cursor: Place;
  left: string;
  since: number;
  shown: boolean;
}

/** What an editor inserts by itself for one key. */
const PAIRS: ReadonlySet<string> = new Set(["()", "[]", "{}", "''", '""', "``"]);

/** Follows one suggestion at a time; `now` is in milliseconds of any clock. */
export class Acceptance {
  #current: Current | undefined;

  constructor(private readonly tell: (event: Event) => void) {}

  /** An answer came for where the cursor is; undefined: there is nothing to show. */
  returned(suggestion: Suggestion | undefined, now: number): void {
    const former = this.#current;
    const continues = suggestion !== undefined && suggestion.id === former?.id;
    if (!continues) {
      this.#dismiss();
    }
    if (suggestion !== undefined) {
      const { id, uri, start, cursor, text } = suggestion;
      const typed = start.line === cursor.line ? Math.max(0, cursor.character - start.character) : 0;
      const shown = continues && former.shown;
      this.#current = { id, uri, start, whole: text, cursor, left: text.slice(typed), since: now, shown };
    }
  }

  /** A document was edited. */
  changed(uri: string, changes: readonly Change[], now: number): void {
    const current = this.#current;
    if (current?.uri !== uri || changes.length === 0) {
      return;
    }
    const [change] = changes;
    if (changes.length > 1 || change === undefined || !this.#follows(current, change, now)) {
      this.#dismiss();
    }
  }

  /** The cursor of a document is here now; undefined: there are several, or none. */
  moved(uri: string, cursor: Place | undefined): void {
    const current = this.#current;
    if (current?.uri === uri && (cursor === undefined || !same(cursor, current.cursor))) {
      this.#dismiss();
    }
  }

  /** Another document is in front. */
  left(): void {
    this.#dismiss();
  }

  /** When {@link tick} is worth a call; undefined: nothing is waited for. */
  get due(): number | undefined {
    return this.#current === undefined || this.#current.shown ? undefined : this.#current.since + SHOWN_AFTER_MS;
  }

  /** Time has passed. */
  tick(now: number): void {
    if (this.due !== undefined && now >= this.due) {
      this.#show();
    }
  }

  /** Whether an edit takes (a part of) the suggestion, or types along it. */
  #follows(current: Current, change: Change, now: number): boolean {
    const wasWhole = same(change.start, current.start) && change.text === current.whole;
    const atCursor = same(change.start, current.cursor) && change.text !== "";
    if (wasWhole || (atCursor && change.text === current.left)) {
      this.#show();
      this.#current = undefined;
      return true;
    }
    // Of a pair that the editor closed by itself, the opening one was typed; the suggestion may go on
    // with something else between them.
    const isPair = PAIRS.has(change.text);
    const taken = isPair && !current.left.startsWith(change.text) ? change.text.slice(0, 1) : change.text;
    if (!atCursor || !current.left.startsWith(taken)) {
      return false;
    }
    if (!isTyped(change.text)) {
      this.#show();
      this.tell({ id: current.id, kind: "partlyAccepted", characters: change.text.length, inferred: true });
    }
    current.left = current.left.slice(taken.length);
    current.cursor = after(current.cursor, isPair ? change.text.slice(0, 1) : change.text);
    current.since = now;
    return true;
  }

  #show(): void {
    const current = this.#current;
    if (current !== undefined && !current.shown) {
      current.shown = true;
      this.tell({ id: current.id, kind: "shown", characters: 0, inferred: true });
    }
  }

  #dismiss(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current?.shown === true) {
      this.tell({ id: current.id, kind: "dismissed", characters: 0, inferred: true });
    }
  }
}

/** Whether a key may have inserted it: one character, a pair, or a line's end with its indentation. */
function isTyped(text: string): boolean {
  const first = text.codePointAt(0);
  const isOne = first !== undefined && text === String.fromCodePoint(first);
  return isOne || PAIRS.has(text) || /^\r?\n[ \t]*$/.test(text);
}

function same(one: Place, other: Place): boolean {
  return one.line === other.line && one.character === other.character;
}

/** Where the cursor stands after `text` was inserted at it. */
function after(place: Place, text: string): Place {
  const lines = text.split(/\r\n|\r|\n/);
  const last = lines.at(-1) ?? "";
  return lines.length === 1
    ? { line: place.line, character: place.character + last.length }
    : { line: place.line + lines.length - 1, character: last.length };
}

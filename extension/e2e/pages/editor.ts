/** The text editor: opening, placing the cursor, typing, suggestions, and the saved file. */

import { basename } from "node:path";
import type { Locator, Page } from "playwright-core";
import type { Scratch } from "../scratch.ts";
import { until } from "../waiting.ts";
import type { QuickPick } from "./quickPick.ts";

export class Editor {
  /** The suggestion that is shown; VS Code splits it in spans as it likes, so do not compare its text. */
  readonly ghost: Locator;
  private readonly page: Page;
  private readonly list: QuickPick;
  private readonly scratch: Scratch;

  constructor(page: Page, list: QuickPick, scratch: Scratch) {
    this.page = page;
    this.list = list;
    this.scratch = scratch;
    this.ghost = page.locator(".monaco-editor .ghost-text-decoration, .monaco-editor .ghost-text").first();
  }

  /** All editor groups with their tabs. */
  get area(): Locator {
    return this.page.locator(".part.editor");
  }

  /** Open a file of the workspace, and give it the keyboard. */
  async open(name: string): Promise<void> {
    await this.page.keyboard.press("Control+P");
    await this.list.input.waitFor();
    await this.list.input.fill(name);
    await this.list.row(name).click();
    await this.tab(name).waitFor();
    await this.focus();
  }

  /** The active tab, if it shows this file, whose path in the workspace is given. */
  tab(name: string): Locator {
    return this.page.locator(".tabs-container .tab.active").filter({ hasText: basename(name) });
  }

  async focus(): Promise<void> {
    const area = this.page.locator(".editor-group-container.active .monaco-editor .inputarea, .editor-group-container.active .monaco-editor .native-edit-context").first();
    await area.focus();
  }

  /** Put the cursor there; both count from 1. */
  async go(line: number, column: number): Promise<void> {
    await this.page.keyboard.press("Control+G");
    await this.list.input.waitFor();
    await this.list.input.fill(`:${line}:${column}`);
    await this.page.keyboard.press("Enter");
    await this.list.box.waitFor({ state: "hidden" });
    await this.focus();
  }

  /** Put the cursor behind the last character of the file. */
  async end(): Promise<void> {
    await this.focus();
    await this.page.keyboard.press("Control+End");
  }

  /** Type as a person would, some 12 keys a second. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 80 });
  }

  /** Put text in at once. */
  async insert(text: string): Promise<void> {
    await this.page.keyboard.insertText(text);
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Wait until a suggestion is shown. */
  async suggested(patience = 60_000): Promise<void> {
    await this.ghost.waitFor({ timeout: patience });
  }

  async unsuggested(): Promise<void> {
    await this.ghost.waitFor({ state: "hidden" });
  }

  /** Save, and return what then lies on disk. */
  async save(name: string): Promise<string> {
    await this.page.keyboard.press("Control+S");
    await until(`${name} is saved`, 30_000, async () => !(await this.dirty(name)));
    return this.scratch.read(name);
  }

  /** Undo everything since the file was last saved. */
  async revert(name: string): Promise<void> {
    await this.page.keyboard.press("F1");
    await this.list.input.fill(">File: Revert File");
    await this.list.row("Revert File").click();
    await until(`${name} is as it was`, 30_000, async () => !(await this.dirty(name)));
    await this.focus();
  }

  private async dirty(name: string): Promise<boolean> {
    return ((await this.tab(name).getAttribute("class")) ?? "").split(" ").includes("dirty");
  }
}

/** The list that drops from the top of the window: palette, pickers, questions. */

import type { Locator, Page } from "playwright-core";

export class QuickPick {
  readonly box: Locator;
  readonly input: Locator;
  readonly rows: Locator;
  private readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    this.box = page.locator(".quick-input-widget");
    this.input = this.box.locator("input.input");
    this.rows = this.box.locator(".quick-input-list .monaco-list-row");
  }

  /** Wait until a list is open whose rows are there. */
  async opened(): Promise<void> {
    await this.input.waitFor();
    await this.rows.first().waitFor();
  }

  /** The rows as a screen reader would read them. */
  async labels(): Promise<string[]> {
    await this.opened();
    return await this.rows.evaluateAll((rows) => rows.map((row) => row.getAttribute("aria-label") ?? ""));
  }

  row(text: string | RegExp): Locator {
    return this.rows.filter({ hasText: text }).first();
  }

  /** Take the row that has `text`. */
  async pick(text: string | RegExp): Promise<void> {
    await this.row(text).click();
  }

  async dismiss(): Promise<void> {
    await this.page.keyboard.press("Escape");
    await this.box.waitFor({ state: "hidden" });
  }
}

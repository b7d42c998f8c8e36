/** The extension's item in the status bar: what it says, and what a screen reader says of it. */

import type { Locator, Page } from "playwright-core";

export class StatusBar {
  readonly item: Locator;
  private readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    this.item = page.locator('.statusbar-item[id^="tenon.tenon"]').first();
  }

  /** VS Code's own item with line and column, left of the extension's. */
  get position(): Locator {
    return this.page.locator('.statusbar-item[id="status.editor.selection"]');
  }

  async text(): Promise<string> {
    return (await this.item.innerText()).trim();
  }

  async label(): Promise<string> {
    return (await this.item.locator("a").first().getAttribute("aria-label")) ?? "";
  }

  /** Wait until the item's text fits, and return it. Limit in milliseconds. */
  async shows(text: RegExp, patience: number): Promise<string> {
    await this.item.filter({ hasText: text }).waitFor({ timeout: patience });
    return await this.text();
  }

  async click(): Promise<void> {
    await this.item.locator("a").first().click();
  }
}

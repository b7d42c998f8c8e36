/** The command palette. */

import type { Page } from "playwright-core";
import { until } from "../waiting.ts";
import type { QuickPick } from "./quickPick.ts";

export class Palette {
  private readonly page: Page;
  private readonly list: QuickPick;

  constructor(page: Page, list: QuickPick) {
    this.page = page;
    this.list = list;
  }

  /** The commands that the palette offers for `text`, as a screen reader would read them. */
  async find(text: string): Promise<string[]> {
    await this.open(text);
    const labels = await this.list.labels();
    await this.list.dismiss();
    return labels;
  }

  /** Run the command with this title; fails if VS Code says that it failed. */
  async run(title: string): Promise<void> {
    await this.open(title);
    // The row's name begins with the title; what follows are its keys and when it was used.
    const row = this.list.rows.and(this.page.locator(`[aria-label^="${title}"]`)).first();
    await row.click();
    // The list closes, or the command asks something in it.
    await until(`the palette has run ${title}`, 30_000, async () => {
      return !(await this.list.input.isVisible()) || !(await this.list.input.inputValue()).startsWith(">");
    });
    const failure = this.page.locator(".monaco-dialog-box.error, .monaco-dialog-box:has(.codicon-error)");
    if (await failure.isVisible()) {
      const said = await failure.innerText();
      await this.page.keyboard.press("Escape");
      throw new Error(said);
    }
  }

  private async open(text: string): Promise<void> {
    await this.page.keyboard.press("F1");
    await this.list.input.waitFor();
    await this.list.input.fill(`>${text}`);
    await this.list.opened();
  }
}

/** A page that an extension shows in a tab: two frames deep, which only the browser's own see. */

import type { FrameLocator, Locator, Page } from "playwright-core";

export class Webview {
  readonly frame: Locator;
  readonly content: FrameLocator;

  private readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    this.frame = page.locator("iframe.webview.ready").last();
    this.content = this.frame.contentFrame().locator("iframe#active-frame").contentFrame();
  }

  /** Wait until it shows `text`, and return the whole text. */
  async shows(text: string | RegExp): Promise<string> {
    const body = this.content.locator("body");
    await body.filter({ hasText: text }).waitFor();
    return await body.innerText();
  }

  /** Close the tab. */
  async close(): Promise<void> {
    await this.page.locator(".editor-group-container.active .tab.active .codicon-close").last().click();
    await this.frame.waitFor({ state: "detached" });
  }
}

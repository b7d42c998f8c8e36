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

  /** Have its heading `text` at the top of what is seen. */
  async scrollTo(text: string): Promise<void> {
    const heading = this.content.locator("h1, h2, h3").filter({ hasText: text });
    await heading.evaluate((element) => element.scrollIntoView({ block: "start" }));
  }

  /** Close the tab that has `title`, which need not be where the keyboard is. */
  async close(title: string): Promise<void> {
    const tab = this.page.locator(".tabs-container .tab").filter({ hasText: title });
    await tab.hover();
    await tab.locator(".codicon-close").click();
    await tab.waitFor({ state: "detached" });
  }
}

/** The notifications in the lower right corner, with their buttons and their progress. */

import type { Locator, Page } from "playwright-core";

export class Notifications {
  private readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  get all(): Locator {
    return this.page.locator(".notifications-toasts .notification-list-item");
  }

  with(text: string | RegExp): Locator {
    return this.all.filter({ hasText: text }).first();
  }

  /** The messages that are shown now. */
  async texts(): Promise<string[]> {
    return await this.all.locator(".notification-list-item-message").allInnerTexts();
  }

  /** Push a button of the notification that has `text`. */
  async press(text: string | RegExp, button: string): Promise<void> {
    await this.with(text).getByRole("button", { name: button }).click();
  }

  /** Clear away what is shown, as the keyboard command does. */
  async clear(): Promise<void> {
    for (const toast of await this.all.all()) {
      await toast.hover({ timeout: 2_000 }).catch(() => undefined);
      await toast.locator(".codicon-notifications-clear").click({ timeout: 2_000 }).catch(() => undefined);
    }
  }
}

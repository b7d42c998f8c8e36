/** VS Code's real workbench with the extension in it, in a browser: what a scenario works with. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { CodeServer, type ServerOptions } from "./codeServer.ts";
import * as logs from "./logs.ts";
import { Editor } from "./pages/editor.ts";
import { Notifications } from "./pages/notifications.ts";
import { Palette } from "./pages/palette.ts";
import { QuickPick } from "./pages/quickPick.ts";
import { StatusBar } from "./pages/statusBar.ts";
import { Webview } from "./pages/webview.ts";
import { ARTIFACTS, browser as installed, PICTURES } from "./places.ts";
import type { Scratch } from "./scratch.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--font-render-hinting=none",
];
const SIZE = { width: 1280, height: 800 };
/** A busy machine of two cores may take this long, in milliseconds, for what takes a tenth alone. */
const PATIENCE = 60_000;

export class Workbench {
  readonly editor: Editor;
  readonly notifications: Notifications;
  readonly palette: Palette;
  readonly quickPick: QuickPick;
  readonly statusBar: StatusBar;
  readonly page: Page;
  readonly scratch: Scratch;
  private readonly server: CodeServer;
  private readonly browser: Browser;
  private shots = 0;

  private constructor(scratch: Scratch, server: CodeServer, browser: Browser, page: Page) {
    this.scratch = scratch;
    this.server = server;
    this.browser = browser;
    this.page = page;
    this.quickPick = new QuickPick(page);
    this.palette = new Palette(page, this.quickPick);
    this.editor = new Editor(page, this.quickPick, scratch);
    this.notifications = new Notifications(page);
    this.statusBar = new StatusBar(page);
  }

  /** Start the server and an empty browser page; `load` shows the workbench in it. */
  static async start(scratch: Scratch, options: ServerOptions = { trusted: true }): Promise<Workbench> {
    const server = await CodeServer.start(scratch, options);
    try {
      const browser = await chromium.launch({ executablePath: installed(), args: FLAGS });
      const context = await browser.newContext({ viewport: SIZE, colorScheme: "dark" });
      await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.origin });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE);
      return new Workbench(scratch, server, browser, page);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.browser.close().catch(() => undefined);
    await this.server.stop();
  }

  /** A screenshot of a step, for people who look at a run afterwards. */
  async shot(name: string): Promise<void> {
    mkdirSync(ARTIFACTS, { recursive: true });
    this.shots += 1;
    const number = String(this.shots).padStart(2, "0");
    await this.page.screenshot({ path: join(ARTIFACTS, `${this.name}-${number}-${name}.png`) });
  }

  /**
   * A picture for the documentation, twice as sharp as the screen: the part of the window around
   * some elements, or all of it.
   */
  async picture(name: string, around: Locator[] = [], margin = 12): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    const session = await this.page.context().newCDPSession(this.page);
    const clip = { ...(await this.area(around, margin)), scale: 2 };
    const { data } = await session.send("Page.captureScreenshot", { format: "png", clip });
    writeFileSync(join(PICTURES, `${name}.png`), Buffer.from(data, "base64"));
    await session.detach();
  }

  /** What is to be seen and read after a test failed: the screen, and the logs' last lines. */
  async failed(test: string): Promise<void> {
    const name = test.replace(/\W+/g, "-").slice(0, 60);
    await this.shot(`FAILED-${name}`).catch(() => undefined);
    const tail = logs.tail(this.scratch);
    writeFileSync(join(ARTIFACTS, `${this.name}-FAILED-${name}.log`), logs.tail(this.scratch, 2_000));
    console.error(`\n${test} failed; what was logged last:\n${tail}\n`);
  }

  /** The webview whose tab is active. */
  get webview(): Webview {
    return new Webview(this.page);
  }

  /** Give the tab that has `title` the whole width, for a picture. */
  async widen(title: string): Promise<void> {
    await this.page.locator(".tabs-container .tab").filter({ hasText: title }).click();
    await this.page.keyboard.press("Control+B");
    await this.page.locator(".part.sidebar").waitFor({ state: "hidden" });
    await this.palette.run("View: Toggle Maximize Editor Group");
  }

  /** Load the page (again), a new window on the scratch's workspace, and wait until a person could use it. */
  async load(): Promise<void> {
    const folder = encodeURIComponent(this.scratch.workspace);
    await this.page.goto(`${this.server.origin}/?folder=${folder}`);
    await this.page.locator(".monaco-workbench .statusbar-item").first().waitFor();
    await this.page.locator(".explorer-folders-view .monaco-list-row").first().waitFor();
  }

  private get name(): string {
    return this.scratch.name;
  }

  private async area(around: Locator[], margin: number): Promise<Area> {
    const seen = await Promise.all(around.map(async (part) => ((await part.isVisible()) ? await part.boundingBox() : null)));
    const boxes = seen.filter((box) => box !== null);
    if (boxes.length === 0) return { x: 0, y: 0, ...SIZE };
    const left = Math.max(0, Math.min(...boxes.map((box) => box.x)) - margin);
    const top = Math.max(0, Math.min(...boxes.map((box) => box.y)) - margin);
    const right = Math.min(SIZE.width, Math.max(...boxes.map((box) => box.x + box.width)) + margin);
    const bottom = Math.min(SIZE.height, Math.max(...boxes.map((box) => box.y + box.height)) + margin);
    return { x: left, y: top, width: right - left, height: bottom - top };
  }
}

interface Area {
  x: number;
  y: number;
  width: number;
  height: number;
}

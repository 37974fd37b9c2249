// Drives the pages that `make browser` wrote in a real browser: charts are drawn, the
// axis switches, the explorer filters, marks open, nothing is loaded, nothing is wrong
// for a screen reader (axe-core). Screenshots stand beside the pages.
//   node browser.mjs DIR CHROMIUM MODULES
import { createRequire } from "node:module";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [dir, executablePath, modules] = process.argv.slice(2);
const require = createRequire(join(modules, "node_modules", "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
let wrong = 0;
const fail = (page, text) => { wrong++; console.log(`FAIL ${page}: ${text}`); };

for (const file of readdirSync(dir).filter((f) => f.endsWith(".html")).sort()) {
  for (const look of [{ name: "wide", width: 1300, colorScheme: "light" }, { name: "phone", width: 390, colorScheme: "dark" }]) {
    const context = await browser.newContext({ viewport: { width: look.width, height: 900 }, colorScheme: look.colorScheme, bypassCSP: true });
    const page = await context.newPage();
    page.on("pageerror", (e) => fail(file, e.message));
    page.on("console", (m) => m.type() === "error" && fail(file, m.text()));
    page.on("request", (r) => r.url().startsWith("file:") || r.url().startsWith("data:") || fail(file, "loads " + r.url()));
    await page.goto("file://" + join(dir, file));
    const charts = await page.locator("#charts canvas").count();
    const wants = await page.evaluate(() => { const d = document.getElementById("data"); return d ? JSON.parse(d.textContent).charts.length : 0; });
    if (await page.locator("#charts").count() && charts !== wants) fail(file, `${charts} charts drawn of ${wants}`);
    if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) fail(file, `wider than ${look.width} pixels`);
    await page.screenshot({ path: join(dir, file.replace(".html", `-${look.name}.png`)), fullPage: true });
    if (charts) {
      await page.locator("#at").focus();
      await page.keyboard.press("ArrowRight");
      if (!(await page.locator("#at-text").textContent())) fail(file, "the crosshair says nothing to the keyboard");
      await page.locator("input[value=load]").check();
      if ((await page.locator("#charts canvas").count()) !== wants) fail(file, "charts are lost over load");
      await page.screenshot({ path: join(dir, file.replace(".html", `-${look.name}-load.png`)), fullPage: true });
    }
    const first = page.locator("#explorer button").first();
    if (await first.count()) {
      await first.click();
      if (!/ of /.test(await page.locator("#explorer-sum").textContent())) fail(file, "the explorer does not filter");
      if ((await page.locator("#explorer button[aria-pressed=true]").count()) !== 1) fail(file, "a choice is not shown");
    }
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const v of violations) fail(file, `${look.name}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 2).map((n) => n.html.slice(0, 120)).join(" | ")}`);
    await context.close();
  }
  console.log(`looked at ${file}`);
}
await browser.close();
console.log(wrong ? `${wrong} wrong` : "all right");
process.exit(wrong ? 1 : 0);

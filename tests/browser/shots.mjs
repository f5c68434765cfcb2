// By hand: `node shots.mjs FOLDER [PATTERN]` writes a picture of every page and state, light, dark and on a small phone.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PHASES, SETTINGS, profiles } from './states.mjs';
import { Site, launch } from './support.mjs';

const [folder, pattern = '.'] = process.argv.slice(2);
if (!folder) throw new Error('Name a folder for the pictures.');
await mkdir(folder, { recursive: true });

const site = await Site.start(SETTINGS),
  browser = await launch();
try {
  const looks = await profiles(browser, site);
  for (const { before, states } of PHASES) {
    await before(site, looks);
    for (const [name, who, reach] of states.filter(([name]) => new RegExp(pattern).test(name))) {
      for (const [look, profiles] of Object.entries(looks)) {
        const page = await profiles[who].newPage();
        try {
          await reach(page, site);
          const take = as =>
            page.screenshot({ path: join(folder, `${name}-${as}.png`), fullPage: process.env.FULL === '1' });
          if (look === 'phone') await take('phone');
          else
            for (const colorScheme of ['light', 'dark'])
              (await page.emulateMedia({ colorScheme }), await take(colorScheme));
        } catch (cause) {
          console.error(`${name} (${look}): ${cause.message}`);
          process.exitCode = 1;
        }
        await page.close();
      }
    }
  }
} finally {
  await browser.close();
  await site.stop();
}

// Every page and state, light, dark and on a small phone: no accessibility finding, no sideways scrolling, nothing in the console.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { PHASES, SETTINGS, profiles } from './states.mjs';
import { stage } from './support.mjs';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let looks;
const here = stage({ before, after }, async ({ browser, site }) => {
  looks = await profiles(browser, site);
}, SETTINGS);

/** The findings, one line each: rule, how often, and the first place. */
const findings = page =>
  page.evaluate(async tags => {
    const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ['violations'] });
    return violations.map(
      ({ id, nodes }) =>
        `${id} ×${nodes.length}: ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary.split('\n')[1] ?? ''}`,
    );
  }, TAGS);

/** What sticks out to the right of the window, other than within something that scrolls by itself. */
const overflow = page =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = el =>
      el &&
      el !== document.body &&
      (/auto|scroll|hidden|clip/.test(getComputedStyle(el).overflowX) || scrolls(el.parentElement));
    const wide = [...document.querySelectorAll('body *')].filter(
      el => el.getBoundingClientRect().right > width + 1 && !scrolls(el.parentElement),
    );
    return [
      `${document.documentElement.scrollWidth} px wide in a window of ${width}: ${wide
        .slice(0, 3)
        .map(el => el.outerHTML.slice(0, 100))
        .join(' | ')}`,
    ];
  });

/** What sticks out of its own panel; on a desk it is seen although the window does not scroll. */
const outOfPanel = page =>
  page.evaluate(() =>
    [...document.querySelectorAll('main form, main section, main table')]
      .filter(
        ({ parentElement: around }) => around.clientWidth && !/auto|scroll/.test(getComputedStyle(around).overflowX),
      )
      .filter(el => el.getBoundingClientRect().right > el.parentElement.getBoundingClientRect().right + 1)
      .map(el => `${el.outerHTML.slice(0, 100)} is wider than what it stands in`),
  );

/** As tall a window as the page: bars that stick to the bottom cover nothing then, and what is below the fold is looked at too. */
const showAll = async page => {
  const { width, height } = page.viewportSize(),
    needed = await page.evaluate(() => document.documentElement.scrollHeight);
  if (!(await page.getByRole('dialog').isVisible()))
    await page.setViewportSize({ width, height: Math.min(Math.max(height, needed), 8000) });
};

const desk = async page => {
  const found = [...(await overflow(page)), ...(await outOfPanel(page))];
  await showAll(page);
  await page.evaluate(AXE);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    found.push(...(await findings(page)).map(text => `${colorScheme}: ${text}`));
  }
  return found;
};

const phone = async page => {
  const found = [];
  for (const width of [320, 390]) {
    await page.setViewportSize({ width, height: 844 });
    found.push(...(await overflow(page)));
  }
  await showAll(page);
  await page.evaluate(AXE);
  return [...found, ...(await findings(page)).map(text => `phone: ${text}`)];
};

for (const phase of PHASES) {
  describe(phase.name, () => {
    before(() => phase.before(here.site, looks));
    for (const [name, who, reach] of phase.states) {
      test(`${name} has no finding`, async () => {
        const found = await Promise.all(
          Object.entries({ desk, phone }).map(async ([look, audit]) => {
            const profile = looks[look][who],
              page = await profile.newPage();
            try {
              await reach(page, here.site);
              return [...(await audit(page)), ...profile.faults.splice(0)];
            } finally {
              await page.close();
            }
          }),
        );
        assert.deepEqual(found.flat(), []);
      });
    }
  });
}

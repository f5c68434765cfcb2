// The same way by keyboard alone: no test here moves a mouse, and each control reached shows that it has the focus.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { OWNER, PLATFORM, STOP, focused, generate, goOn, profile, stage } from './support.mjs';

let context, page;
const here = stage({ before, after }, async ({ browser, site }) => {
  context = await profile(browser, site);
  page = await context.newPage();
  // From the start, not at the key: the browser would else have opened its own window before it is told to leave that to us.
  page.on('filechooser', () => {});
});
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

const at = path => page.goto(here.site.url + path);
const arrive = path => page.waitForURL(url => url.pathname === path, { waitUntil: 'load' });
const dialog = () => page.getByRole('dialog');
const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const has = locator => locator.evaluate(el => el === document.activeElement);
const box = name => page.getByRole('row').filter({ hasText: name }).getByRole('checkbox');
const ticked = () =>
  page
    .locator('[name=id]:checked')
    .evaluateAll(boxes => boxes.map(b => b.labels[0].textContent.trim().split(' ').at(-1)).join(' '));

/** What is wrong with how the focused control shows itself; empty when a person can see where they are. */
const unseen = () =>
  page.evaluate(() => {
    const el = document.activeElement;
    if (!el || el === document.body) return 'nothing has the focus';
    const named = `${el.tagName.toLowerCase()} ${el.name || el.id || el.textContent.trim().slice(0, 30)}`;
    const marks = [el, el.closest('label'), el.parentElement].filter(Boolean).some(of => {
      const style = getComputedStyle(of);
      return (
        (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1) ||
        /\d+px [1-9]\d*px|0px 0px 0px [1-9]/.test(style.boxShadow)
      );
    });
    // The button inside a date field is the browser's own and draws its own ring, where no style of the page is seen.
    if (!marks && el.type !== 'date') return `${named} does not show the focus`;
    const { left, top, width, height } = el.getBoundingClientRect();
    if (!width || !height) return `${named} has no size`;
    const at = document.elementFromPoint(left + Math.min(width / 2, 200), top + height / 2);
    const own = at && (el.contains(at) || at.contains(el) || at.closest('label')?.contains(el));
    return own ? '' : `${named} is off the screen or covered by ${at?.tagName}.${at?.className}`;
  });

/** Presses Tab until that control has the focus; fails at a control that does not show it, or when it is never reached. */
const tabTo = async (locator, key = 'Tab') => {
  await locator.first().waitFor();
  for (let i = 0; i < 150; i++) {
    if (await has(locator)) return assert.equal(await unseen(), '');
    await press(key);
    if (await page.evaluate(() => document.activeElement !== document.body)) assert.equal(await unseen(), '');
  }
  assert.fail(`150 times ${key} did not lead to ${locator}`);
};
const tabAndType = async (locator, text) => {
  await tabTo(locator);
  await page.keyboard.type(text);
};

test('set-up begins in its first field and ends with Enter', async () => {
  await page.goto(here.site.setupLink);
  await focused(page.locator('[name=code]'));
  for (const field of ['name', 'email', 'password']) await tabAndType(page.locator(`[name=${field}]`), OWNER[field]);
  await press('Enter');
  await arrive('/admin/apis');
});

test('a description is chosen, previewed and imported', async () => {
  await tabTo(page.getByRole('link', { name: /Import an API/ }));
  await press('Enter');
  await arrive('/admin/apis/new');
  await tabAndType(page.locator('[name=slug]'), 'platform');
  await tabTo(page.locator('[name=file]'));
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), press('Enter')]);
  await chooser.setFiles(PLATFORM);
  await tabTo(goOn(page, 'slug'));
  await press('Enter');
  await tabAndType(page.locator('[name=password]'), OWNER.password);
  await press('Enter');
  await arrive('/admin/apis/platform');
});

test('the first Tab on a page offers to skip to its content', async () => {
  await at('/settings/tokens');
  await press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to content' });
  await focused(skip);
  assert.equal(await unseen(), '');
  await press('Enter', 'Tab');
  assert.ok(await page.evaluate(() => document.querySelector('main').contains(document.activeElement)));
});

test('the method picker: / searches, Esc clears, Tab reaches the method, Space ticks it', async () => {
  await tabTo(page.locator('button[name=do][value=generate]'));
  await press('Enter');
  await arrive('/settings/tokens/new');
  const search = page.locator('[name=mq]');
  await press('/');
  await focused(search, '/ leads to the search');
  await page.keyboard.type('no such method');
  assert.equal(await page.locator('[name=m]:visible').count(), 0);
  await press('Escape');
  assert.equal(await search.inputValue(), '');
  await page.keyboard.type('running stopenv');
  assert.equal(await page.locator('[name=m]:visible').count(), 1);
  await press('Enter');
  assert.equal(await dialog().isVisible(), false, 'Enter in the search sends nothing');
  const method = page.locator(`[name=m][value="${STOP}"]`);
  await tabTo(method);
  await press('Space');
  assert.ok(await method.isChecked());
});

test('/ in a text field is a slash', async () => {
  const name = page.locator('[name=name]');
  await tabTo(name, 'Shift+Tab');
  await page.keyboard.type('ci/deploy');
  assert.equal(await name.inputValue(), 'ci/deploy');
});

test('a preset of the expiry is chosen by letters, and the day follows', async () => {
  await tabTo(page.locator('[name=lifetime]'));
  const before = await page.locator('[name=expires_at]').inputValue();
  await Promise.all([page.waitForResponse(r => r.url().includes('/settings/tokens/expiry')), page.keyboard.type('30')]);
  await page.waitForFunction(before => document.querySelector('[name=expires_at]').value !== before, before);
});

test('Esc closes the dialog and the focus returns to the button that opened it', async () => {
  const go = goOn(page, 'lifetime');
  await tabTo(go);
  await press('Enter');
  await dialog().locator('[name=password]').waitFor();
  await focused(dialog().locator('[name=password]'));
  assert.equal(await unseen(), '');
  await press('Escape');
  await dialog().waitFor({ state: 'hidden' });
  await focused(go);
});

test('Tab stays within the dialog and reaches each of its controls', async () => {
  await press('Enter');
  await dialog().locator('[name=password]').waitFor();
  const seen = new Set();
  for (let i = 0; i < 8; i++) {
    await press('Tab');
    const where = await page.evaluate(() => {
      const el = document.activeElement;
      return el === document.body || !el
        ? ''
        : el.closest('dialog')
          ? el.name || el.textContent.trim()
          : `outside: ${el.outerHTML.slice(0, 80)}`;
    });
    assert.doesNotMatch(where, /^outside/);
    if (where) assert.equal(await unseen(), '');
    seen.add(where);
  }
  for (const control of ['password', 'Generate token', 'Cancel'])
    assert.ok(seen.has(control), `${control} of ${[...seen]}`);
});

test('Enter in the password generates, and the focus is then on the heading of the value', async () => {
  const password = dialog().locator('[name=password]');
  await tabTo(password);
  await page.keyboard.type('not the right password');
  await press('Enter');
  await page.waitForFunction(() => document.querySelector('dialog[open] [name=password]')?.ariaInvalid === 'true');
  await focused(password);
  await page.keyboard.type(OWNER.password);
  await press('Enter');
  await page.locator('#value').waitFor();
  await focused(page.getByRole('heading', { level: 1 }));
  const value = await page.locator('#value').inputValue();

  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: here.site.url });
  await tabTo(page.getByRole('button', { name: 'Copy', exact: true }));
  await press('Enter');
  await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), value);
  await tabTo(page.getByRole('button', { name: 'Download' }));
  const [file] = await Promise.all([page.waitForEvent('download'), press('Enter')]);
  await file.delete();
  await tabTo(page.getByRole('link', { name: 'I saved the value' }));
  await press('Enter');
  await arrive('/settings/tokens');
});

test('rows: arrows move, Space ticks, Shift extends, Ctrl+A takes all, Esc none', async () => {
  for (const name of ['token-a', 'token-b', 'token-c']) await generate(context, here.site, { name });
  await at('/settings/tokens?sort=name');
  await tabTo(box('ci/deploy'));
  await press('ArrowDown');
  await focused(box('token-a'));
  await press('Space');
  assert.equal(await ticked(), 'token-a');
  await press('Shift+ArrowDown');
  assert.equal(await ticked(), 'token-a token-b');
  await press('Shift+ArrowDown');
  assert.equal(await ticked(), 'token-a token-b token-c');
  await focused(box('token-c'));
  assert.match(await page.getByRole('status').filter({ hasText: 'selected' }).innerText(), /3 selected/);
  await press('Escape');
  assert.equal(await ticked(), '');
  await press('Home');
  await focused(box('ci/deploy'));
  await press('End');
  await focused(box('token-c'));
  await press('Control+a');
  assert.equal(await ticked(), 'ci/deploy token-a token-b token-c');
  await press('Escape');
  assert.equal(await ticked(), '');
});

test('Delete on a row asks to remove it, the focus is on the safe button, and Enter there keeps the token', async () => {
  await press('Home', 'ArrowDown', 'Space', 'Delete');
  const keep = dialog().getByRole('button', { name: 'Keep token' });
  await keep.waitFor();
  await focused(keep);
  assert.equal(await unseen(), '');
  await press('Enter');
  await dialog().waitFor({ state: 'hidden' });
  assert.equal(await unseen(), '', 'the focus returns to the list');
  assert.equal(await box('token-a').count(), 1);
});

test('tokens are removed by keyboard, and the list says so', async () => {
  await tabTo(box('token-a'));
  if (!(await box('token-a').isChecked())) await press('Space');
  await press('Shift+ArrowDown', 'Delete');
  await dialog().getByRole('button', { name: 'Keep tokens' }).waitFor();
  await tabAndType(dialog().locator('[name=password]'), OWNER.password);
  await press('Enter');
  await page.getByRole('status').filter({ hasText: 'Removed 2 tokens.' }).waitFor();
  assert.equal(await box('token-a').count(), 0);
  assert.equal(await box('token-c').count(), 1);
});

test('/ searches the list, and Enter sends the search', async () => {
  await press('/');
  await focused(page.locator('[name=q]'));
  await page.keyboard.type('token-c');
  await press('Enter');
  await page.waitForURL(url => url.searchParams.get('q') === 'token-c', { waitUntil: 'load' });
  assert.equal(await page.locator('[name=id]').count(), 1);
});

test('the account menu opens with Enter, closes with Esc, and signs out', async () => {
  const me = page.getByRole('button', { name: /Account menu/ }),
    out = page.getByRole('button', { name: 'Sign out' });
  await tabTo(me);
  await press('Enter');
  await out.waitFor();
  await press('Escape');
  await out.waitFor({ state: 'hidden' });
  await focused(me);
  await press('Enter');
  await tabTo(out);
  await press('Enter');
  await arrive('/login');
});

test('sign-in begins in its first field and ends with Enter', async () => {
  await focused(page.locator('[name=email]'));
  await page.keyboard.type(OWNER.email);
  await tabAndType(page.locator('[name=password]'), OWNER.password);
  await press('Enter');
  await arrive('/settings/tokens');
});

// Every page and state of the program that a person can see, and how to get there: for the accessibility tests and the screenshots.

import { large } from './fixtures/large.mjs';
import {
  activity,
  api,
  apiDocs,
  apiDocsOpen,
  audit,
  button,
  call,
  confirmDialog,
  confirmPage,
  dialog,
  difference,
  endedForm,
  filled,
  form,
  formErrors,
  importForm,
  list,
  login,
  openDetails,
  openRow,
  password,
  policy,
  policyReview,
  preview,
  profileForm,
  programs,
  removeDialog,
  revealed,
  revealedPage,
  selected,
  send,
  sendPlainly,
  sessions,
  setForm,
  wrongPassword,
} from './steps.mjs';
import { OF_EVERYBODY } from './all-tokens-states.mjs';
import { INVITED, OF_PEOPLE, withPeople } from './account-states.mjs';
import { OF_NO_TEAM, OF_TEAMS, makeTeams } from './team-states.mjs';
import { OF_MANY, OF_TOKENS } from './token-states.mjs';
import { OWNER, goOn, generate, importApi, importPlatform, profile, setUp, signIn } from './support.mjs';

/** Three looks are taken at each state: two themes on a desk, and one on a small phone. */
export const DESK = { viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' };
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, reducedMotion: 'reduce' };

/** Of the program that the states are looked at in. */
export const SETTINGS = '[policy]\ntokens_per_account = 500\n';

/** Signed-in and signed-out profiles for both looks, as `desk.owner`, `desk.stranger`, `phone.…`. */
export const profiles = async (browser, site) => {
  const of = async look => ({
    owner: await profile(browser, site, look),
    stranger: await profile(browser, site, look),
  });
  return { desk: await of(DESK), phone: await of(PHONE) };
};

/** `before` is done once for all looks; each state is a name, who looks, and how to get there. */
export const PHASES = [
  {
    name: 'before there is an account',
    before: async () => {},
    states: [
      ['set-up', 'stranger', (page, site) => page.goto(site.setupLink)],
      [
        'set-up-errors',
        'stranger',
        async (page, site) => {
          await page.goto(`${site.url}/setup`);
          await page.locator('[name=code]').fill('wrong');
          await page.locator('[name=password]').fill('short');
          await send(page, goOn(page, 'code'));
        },
      ],
    ],
  },
  {
    name: 'before there is an API or a token',
    before: async (site, { desk, phone }) => {
      await setUp(desk.owner, site);
      await signIn(phone.owner, site);
    },
    states: [
      ['list-empty', 'owner', list],
      ['form-without-api', 'owner', form],
      ['activity-empty', 'owner', activity],
      ['apis-empty', 'owner', (page, site) => page.goto(`${site.url}/admin/apis`)],
    ],
  },
  {
    name: 'with an API and tokens',
    before: async (site, { desk: { owner } }) => {
      await importPlatform(owner, site);
      await generate(owner, site, {
        name: 'ci-deploy-production',
        description: 'GitLab CI: deploys and restarts production',
      });
      await call(owner, site, await generate(owner, site, { name: 'intellij-maria' }));
      await generate(owner, site, {
        name: 'a-name-as-long-as-a-name-may-be-'.padEnd(100, 'x'),
        description: 'A description of many words. '.repeat(12),
        lifetime: '7',
      });
      await generate(owner, site, {
        name: 'everything',
        set: 'custom',
        m: '*',
        lifetime: '365',
        ip_allow: '10.4.0.0/24\n2001:db8::/32',
        rate_per_minute: '60',
      }).catch(() => generate(owner, site, { name: 'everything', lifetime: '365' }));
      await generate(owner, site, {
        name: 'backup-nightly',
        m: ['management:startbackup', 'management:getbackups'],
        lifetime: '30',
      });
    },
    states: [
      ['login', 'stranger', login],
      ['login-ended', 'stranger', (page, site) => login(page, site, '?why=ended')],
      ['login-out', 'stranger', (page, site) => login(page, site, '?why=out')],
      [
        'login-wrong',
        'stranger',
        async (page, site) => {
          await login(page, site);
          await page.locator('[name=email]').fill('nobody@example.com');
          await page.locator('[name=password]').fill('not the right password');
          await send(page, goOn(page, 'password'));
        },
      ],
      ['form-ended', 'stranger', endedForm],
      [
        'form-ended-in-place',
        'stranger',
        async (page, site) => {
          await signIn(page.context(), site);
          await filled(page, site);
          await page.context().clearCookies({ name: 'hallpass' });
          await goOn(page, 'lifetime').click();
          await page.locator('[name=kept]').waitFor({ state: 'attached' });
        },
      ],
      [
        'form-resumed',
        'stranger',
        async (page, site) => {
          await endedForm(page, site);
          // The script would press the button at once.
          await page.route('**/app.js', route => route.fulfill({ contentType: 'text/javascript', body: '' }));
          await page.locator('[name=email]').fill(OWNER.email);
          await page.locator('[name=password]').fill(OWNER.password);
          await send(page, goOn(page, 'password'));
          await page.locator('[data-press]').waitFor();
          await page.context().clearCookies();
        },
      ],
      ['missing-signed-out', 'stranger', (page, site) => page.goto(`${site.url}/no/such/page`)],
      ['missing', 'owner', (page, site) => page.goto(`${site.url}/no/such/page`)],
      [
        'expired-form',
        'owner',
        async (page, site) => {
          await form(page, site);
          await page
            .locator('[name=form_token]')
            .evaluateAll(fields => fields.forEach(field => (field.value = 'of another session')));
          await sendPlainly(page, 'lifetime');
        },
      ],
      [
        'expired-form-in-place',
        'owner',
        async (page, site) => {
          await filled(page, site);
          await page
            .locator('[name=form_token]')
            .evaluateAll(fields => fields.forEach(field => (field.value = 'of another session')));
          await send(page, goOn(page, 'lifetime'));
          await page.getByRole('alert').waitFor();
        },
      ],
      ['profile', 'owner', profileForm],
      [
        'profile-errors',
        'owner',
        async (page, site) => {
          await profileForm(page, site);
          await page.locator('[name=name]').fill('');
          await send(page, goOn(page, 'date_style'));
        },
      ],
      ['password', 'owner', password],
      [
        'password-errors',
        'owner',
        async (page, site) => {
          await password(page, site);
          await page.locator('[name=new_password]').fill('short');
          await send(page, goOn(page, 'new_password'));
        },
      ],
      ['sessions', 'owner', sessions],
      ['sessions-program', 'owner', programs],
      ['api-docs', 'owner', apiDocs],
      ['api-docs-open', 'owner', apiDocsOpen],
      ['api-docs-signed-out', 'stranger', apiDocs],
      [
        'sessions-dialog',
        'owner',
        async (page, site) => {
          await sessions(page, site);
          await page.getByRole('button', { name: 'End all others…' }).click();
          await dialog(page).locator('[name=password]').waitFor();
        },
      ],
      [
        'sessions-page',
        'owner',
        async (page, site) => {
          await sessions(page, site);
          await page.locator('[name=id]').first().check();
          await sendPlainly(page, 'id');
        },
      ],
      [
        'sessions-none-selected',
        'owner',
        async (page, site) => (await sessions(page, site), sendPlainly(page, 'id')),
      ],
      ['list', 'owner', list],
      ['list-selected', 'owner', (page, site) => selected(page, site, 2)],
      ['list-nothing-found', 'owner', (page, site) => list(page, site, '?q=no+such+token')],
      ['list-tab-empty', 'owner', (page, site) => list(page, site, '?status=expired')],
      [
        'list-none-selected',
        'owner',
        async (page, site) => {
          await list(page, site);
          await page.locator('form', { has: page.locator('[name=id]') }).waitFor();
          await sendPlainly(page, 'id', { do: 'remove' });
        },
      ],
      ['remove-dialog', 'owner', removeDialog],
      [
        'remove-dialog-wrong',
        'owner',
        async (page, site) => {
          await removeDialog(page, site);
          await wrongPassword(page, dialog(page));
        },
      ],
      [
        'remove-page',
        'owner',
        async (page, site) => {
          await selected(page, site, 1);
          await sendPlainly(page, 'id', { do: 'remove' });
        },
      ],
      [
        'account-menu',
        'owner',
        async (page, site) => (await list(page, site), page.getByRole('button', { name: /Account menu/ }).click()),
      ],
      ['navigation', 'owner', (page, site) => list(page, site, '#nav')],
      ['form', 'owner', form],
      ['form-limits', 'owner', async (page, site) => (await form(page, site), openDetails(page, 'ip_allow'))],
      ['form-search', 'owner', filled],
      [
        'form-nothing-found',
        'owner',
        async (page, site) => {
          await form(page, site);
          await page.locator('[name=mq]').fill('no such method');
        },
      ],
      [
        'form-set',
        'owner',
        async (page, site) => {
          await form(page, site);
          await page.locator('[name=set]:not([value=custom])').first().check();
        },
      ],
      [
        'form-errors',
        'owner',
        async (page, site) => {
          await form(page, site);
          await formErrors(page);
          await send(page, goOn(page, 'lifetime'));
          await page.locator('main').getByRole('alert').waitFor();
        },
      ],
      [
        'form-errors-page',
        'owner',
        async (page, site) => {
          await form(page, site);
          await formErrors(page);
          await sendPlainly(page, 'lifetime');
        },
      ],
      ['confirm-dialog', 'owner', confirmDialog],
      [
        'confirm-dialog-wrong',
        'owner',
        async (page, site) => {
          await confirmDialog(page, site);
          await wrongPassword(page, dialog(page));
        },
      ],
      ['reveal', 'owner', revealed],
      ['confirm-page', 'owner', confirmPage],
      [
        'confirm-page-wrong',
        'owner',
        async (page, site) => {
          await confirmPage(page, site);
          await wrongPassword(page, page.locator('main'));
        },
      ],
      ['reveal-page', 'owner', revealedPage],
      [
        'shown',
        'owner',
        async (page, site) => {
          await revealedPage(page, site);
          await page.reload();
        },
      ],
      ['activity', 'owner', activity],
      [
        'activity-numbers',
        'owner',
        async (page, site) => (await activity(page, site), page.getByText('Show the numbers').click()),
      ],
      ['activity-refused', 'owner', (page, site) => activity(page, site, '?show=refused')],
      [
        'activity-search',
        'owner',
        async (page, site) => {
          await activity(page, site);
          await page.locator('main [name=q]').fill('intellij');
          await Promise.all([page.waitForURL(/q=intellij/), page.locator('main [name=q]').press('Enter')]);
        },
      ],
      ['activity-nothing-found', 'owner', (page, site) => activity(page, site, '?q=no+such+thing')],
      [
        'activity-of-a-token',
        'owner',
        async (page, site) => {
          await list(page, site);
          const id = await page.locator('tr', { hasText: 'intellij-maria' }).locator('[name=id]').inputValue();
          await page.goto(`${site.url}/settings/tokens/${id}/activity`);
        },
      ],
      ['audit', 'owner', audit],
      ['audit-filters', 'owner', async (page, site) => (await audit(page, site), openDetails(page, 'actor'))],
      ['audit-open', 'owner', async (page, site) => openRow(page, site, '?action=token.generate')],
      ['audit-nothing-found', 'owner', (page, site) => audit(page, site, '?q=no+such+thing&ip=192.0.2.1')],
      ['audit-wrong-day', 'owner', (page, site) => audit(page, site, '?from=11/25/2026')],
      [
        'audit-looked-through',
        'owner',
        async (page, site) => {
          site.manyEvents();
          await audit(page, site, '?q=no+such+thing');
        },
      ],
      ...OF_EVERYBODY,
      ['apis', 'owner', (page, site) => page.goto(`${site.url}/admin/apis`)],
      ['import', 'owner', importForm],
      ['import-options', 'owner', async (page, site) => (await importForm(page, site), openDetails(page, 'hosts'))],
      [
        'import-errors',
        'owner',
        async (page, site) => {
          await importForm(page, site);
          await page.locator('[name=slug]').fill('Not A Slug');
          await page.locator('[name=text]').fill('{"openapi": "3.0.0",');
          await openDetails(page, 'hosts');
          await page.locator('[name=hosts]').fill('not a host');
          await page.locator('[name=kinds]').fill('sometimes *');
          await send(page, goOn(page, 'slug'));
        },
      ],
      ['preview', 'owner', preview],
      [
        'preview-wrong',
        'owner',
        async (page, site) => {
          await preview(page, site);
          await wrongPassword(page, page.locator('main'));
        },
      ],
      ['preview-difference', 'owner', difference],
      ['api', 'owner', api],
      ['api-search', 'owner', (page, site) => api(page, site, '?q=stop')],
      ['api-nothing-found', 'owner', (page, site) => api(page, site, '?q=no+such+method')],
      ['api-options', 'owner', async (page, site) => (await api(page, site), openDetails(page, 'hosts'))],
      [
        'api-remove-dialog',
        'owner',
        async (page, site) => {
          await api(page, site);
          await page.getByRole('button', { name: 'Remove…', exact: true }).click();
          await dialog(page).locator('[name=password]').waitFor();
        },
      ],
      ['set-form', 'owner', setForm],
      [
        'set-form-errors',
        'owner',
        async (page, site) => {
          await setForm(page, site);
          await page.locator('[name=slug]').fill('Not A Slug');
          await page.locator('[name=scopes]').fill('no:such');
          await send(page, goOn(page, 'scopes'));
          await page.locator('main').getByRole('alert').waitFor();
        },
      ],
      [
        'set-form-dialog',
        'owner',
        async (page, site) => {
          await setForm(page, site);
          await page.locator('[name=name]').fill('Night shift');
          await page.locator('[name=slug]').fill('night-shift');
          await page.locator('[name=scopes]').fill('control:stopenv\ncontrol:startenv');
          await goOn(page, 'scopes').click();
          await dialog(page).locator('[name=password]').waitFor();
        },
      ],
      ['policy', 'owner', policy],
      [
        'policy-errors',
        'owner',
        async (page, site) => {
          await policy(page, site);
          await page.locator('[name=default_lifetime]').fill('400');
          await page.locator('[name=session_idle]').fill('soon');
          await openDetails(page, 'max_lifetime_admin');
          await page.locator('[name=max_lifetime_admin]').fill('500');
          await send(page, goOn(page, 'max_lifetime'));
        },
      ],
      ['policy-review', 'owner', policyReview],
      [
        'policy-wrong',
        'owner',
        async (page, site) => {
          await policyReview(page, site);
          await wrongPassword(page, page.locator('main'));
        },
      ],
      ['reveal-again', 'owner', revealed],
    ],
  },
  {
    name: 'with what is done to a token',
    before: async () => {},
    states: OF_TOKENS.map(([name, reach]) => [name, 'owner', reach]),
  },
  {
    name: 'before there is a team',
    before: async () => {},
    states: OF_NO_TEAM.map(([name, reach]) => [name, 'owner', reach]),
  },
  {
    name: 'with teams and service accounts',
    before: makeTeams,
    states: OF_TEAMS.map(([name, reach]) => [name, 'owner', reach]),
  },
  {
    name: 'with people',
    before: (site, { desk: { owner } }) => withPeople(owner, site),
    states: [
      ...OF_PEOPLE.map(([name, reach]) => [name, 'owner', reach]),
      ...INVITED.map(([name, reach]) => [name, 'stranger', reach]),
    ],
  },
  {
    name: 'with more tokens than a page of the list holds',
    before: async (site, { desk: { owner } }) => {
      await generate(owner, site, { name: 'bulk-00' });
      site.multiply('bulk-00', 59);
    },
    states: OF_MANY.map(([name, reach]) => [name, 'owner', reach]),
  },
  {
    name: 'with a second and very large API',
    before: (site, { desk: { owner } }) => importApi(owner, site, 'large', JSON.stringify(large())),
    states: [
      ['form-large', 'owner', form],
      [
        'form-large-search',
        'owner',
        async (page, site) => {
          await form(page, site);
          await page.locator('[name=mq]').fill('list');
        },
      ],
      ['apis-two', 'owner', (page, site) => page.goto(`${site.url}/admin/apis`)],
      ['api-large', 'owner', (page, site) => page.goto(`${site.url}/admin/apis/large`)],
    ],
  },
];

// Progressive enhancement only: every page works without this file, except the copy buttons.
// htmx may replace the body, so listeners sit on the document or are set up again by init().
const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];
const on = (type, f, capture) => document.addEventListener(type, f, capture);
const many = (n, one, more) => `${n.toLocaleString('en')} ${n === 1 ? one : more}`;

// 1. Token table: Shift, Ctrl and keys on top of plain checkboxes
const setUpTable = table => {
  const form = table.closest('form'), boxes = $$('tbody input[type=checkbox]', table), all = $('thead input[type=checkbox]', table);
  const live = $('[data-count]', form), tools = $$('[data-need]', form), more = $('[data-all]', form), match = more && $('input', more);
  let anchor = boxes.findIndex(b => b.checked);
  const sync = () => {
    const n = boxes.filter(b => b.checked).length;
    all.checked = n > 0 && n === boxes.length; all.indeterminate = n > 0 && !all.checked;
    if (more) { more.hidden = all.offsetParent && !all.checked; match.checked &&= all.checked; }  // a phone has no box above the rows
    live.textContent = n ? `${match?.checked ? more.dataset.all : n} selected` : '';
    for (const t of tools) {
      const one = t.dataset.need === 'one', ok = one ? n === 1 && !match?.checked : n > 0;
      t.ariaDisabled = !ok;
      t.title = ok ? t.dataset.title || '' : `Select ${one ? '' : 'at least '}one token first`;
    }
  };
  const set = v => boxes.forEach(b => b.checked = v);
  const range = (a, b, v) => { if (a < 0) a = b; for (let i = Math.min(a, b); i <= Math.max(a, b); i++) boxes[i].checked = v; };
  table.addEventListener('click', e => {
    const tr = e.target.closest('tbody tr'); if (!tr || e.target.closest('a,button')) return;
    const i = boxes.indexOf($('input[type=checkbox]', tr)), ctrl = e.ctrlKey || e.metaKey;
    if (e.target.closest('label') && e.target.tagName !== 'INPUT') return;  // the click on the input follows
    if (e.target === boxes[i]) { if (e.shiftKey) range(anchor, i, boxes[i].checked); }
    else if (!e.shiftKey && String(getSelection())) return;  // somebody marks text
    else if (e.shiftKey) { if (!ctrl) set(false); range(anchor, i, true); }
    else if (ctrl) boxes[i].checked = !boxes[i].checked;
    else { const was = boxes[i].checked && boxes.filter(b => b.checked).length === 1; set(false); boxes[i].checked = !was; }
    if (!e.shiftKey || anchor < 0) anchor = i;
    boxes[i].focus({ preventScroll: true });
    sync();
  });
  table.addEventListener('mousedown', e => { if (e.shiftKey && e.target.closest('tbody')) e.preventDefault(); });
  table.addEventListener('keydown', e => {
    const i = boxes.indexOf(e.target); if (i < 0) return;
    const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: boxes.length - 1 }[e.key];
    if (to !== undefined) {
      e.preventDefault(); if (!boxes[to]) return;
      if (e.shiftKey) { range(i, to, true); sync(); } else anchor = to;
      boxes[to].focus();
    } else if (e.key === 'a' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); set(true); sync(); }
    else if (e.key === 'Escape') { set(false); sync(); }
    else if (e.key === 'Delete' || e.key === 'Enter') {
      e.preventDefault();  // Enter would press the first button
      const t = $(`[data-key=${e.key}]`, form); if (t?.ariaDisabled === 'false') t.click();
    }
  });
  table.addEventListener('change', e => { if (e.target === all) set(all.checked); sync(); });
  match?.addEventListener('change', () => { if (match.checked) set(true); sync(); });
  addEventListener('pageshow', sync);  // the browser may have put old ticks back
  sync();
};
on('click', e => { if (e.target.closest('[aria-disabled=true]')) { e.preventDefault(); e.stopPropagation(); } }, true);

// 2. Method picker (and the list of an API's methods, which has no boxes)
const setUpPicker = pick => {
  const panel = pick.closest('.panel'), form = pick.closest('form'), q = $('[data-q]', panel), only = $('[data-only]', pick), none = $('[data-none]', pick);
  const kinds = $$('[name=kind]', pick), rails = $$('.rail a', pick), heads = $$('.rail p', pick), put = (s, text) => { const el = $(s, panel); if (el) el.textContent = text; };
  const groups = $$('.g', pick).map((el, i) => {
    const det = $('details', el);
    return { el, det, wasOpen: det.open, box: $('[name=service]', el), title: $('b', det).textContent, code: $('summary code', det)?.textContent || '', n: $('.n', det), rail: rails[i],
      ms: $$('.m', el).map(m => ({ m, box: $('input', m), k: m.dataset.k, off: m.hidden })) };
  });
  const rows = groups.flatMap(g => g.ms).filter(x => !x.m.classList.contains('lost'));
  // A wildcard holds the methods under it: they are ticked, and free again only without it.
  const wilds = $$('[data-wild]', pick).map(box => { const of = box.closest('.g,[data-api]'); return { box, of: rows.filter(x => !of || of.contains(x.m)) }; });
  const named = new Set(wilds.length ? rows.filter(x => x.box.checked && !x.box.disabled) : []);
  const held = () => { if (!wilds.length) return; const by = new Set(wilds.flatMap(w => w.box.checked ? w.of : [])); for (const x of rows) { x.box.disabled = by.has(x) && !named.has(x); if (by.has(x)) x.box.checked = true; } };
  const apis = $$('[data-api]', pick).map((el, i) => ({ head: $('h2', el), rail: heads[i], of: groups.filter(g => el.contains(g.el)) }));
  let filtered = false;
  // Opening 47 services at one key costs 160 ms: those below the fold open when they come near.
  const narrow = matchMedia('(max-width: 44rem)').matches;
  const seen = new IntersectionObserver(es => es.forEach(e => {
    const g = groups.find(g => g.el === e.target);
    if (e.isIntersecting) { if (g.wait) g.det.open = true; seen.unobserve(g.el); }
  }), { root: narrow ? null : $('.list', pick), rootMargin: '60px' });
  const count = g => {
    if (!g.box) return;
    let c = 0, del = 0, shown = 0, of = 0;
    for (const x of g.ms) { const on = x.box.checked; if (on) { c++; if (x.k === 'delete') del++; } if (!x.off) { shown++; if (on) of++; } }
    g.c = c; g.del = del; g.box.checked = of > 0 && of === shown; g.box.indeterminate = c > 0 && !g.box.checked;
    if (filtered) g.box.ariaLabel = `All shown ${g.title} methods (${shown} of ${g.ms.length})`; else if (g.box.ariaLabel) g.box.ariaLabel = null;
    const s = `${g.c}/${g.ms.length}`;
    if (g.n.textContent !== s) { g.n.textContent = s; $('span', g.rail).textContent = s; g.rail.classList.toggle('has', g.c > 0); }
  };
  const sum = () => {
    const c = groups.reduce((a, g) => a + g.c, 0), del = groups.reduce((a, g) => a + g.del, 0);
    put('[data-total]', c); put('[data-ticked]', c);
    put('[data-sum]', c ? many(c, 'method', 'methods') : 'No method');
    put('[data-sum-rest]', c ? ` in ${many(groups.filter(g => g.c).length, 'service', 'services')}, ${del || 'none'} can delete.` : ' is chosen yet.');
  };
  const read = () => { for (const g of groups) for (const x of g.ms) x.text ??= `${x.m.children[0].textContent} ${x.m.children[1].textContent} ${x.m.dataset.p || ''} ${g.title} ${g.code}`.toLowerCase(); };
  const filter = () => {
    read();
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean), ks = kinds.filter(k => k.checked).map(k => k.value);
    let total = 0;
    filtered = words.length + ks.length > 0 || !!only?.checked;
    for (const g of groups) {
      let n = 0;
      for (const x of g.ms) {
        const hit = words.every(w => x.text.includes(w)) && (!only?.checked || x.box.checked) && (!ks.length || ks.includes(x.k));
        if (x.off === hit) x.off = x.m.hidden = !hit;
        n += hit;
      }
      g.el.hidden = !n; if (g.rail) g.rail.hidden = !n;
      const open = filtered ? n > 0 : g.wasOpen;
      if (open && total > 20 && !g.det.open) { g.wait = true; seen.observe(g.el); } else { g.det.open = open; g.wait = false; }
      total += n; count(g);
    }
    for (const a of apis) if (a.head) a.head.hidden = a.rail.hidden = a.of.every(g => g.el.hidden);
    none.hidden = total > 0; put('[data-shown]', total.toLocaleString('en'));
  };
  q.addEventListener('focus', read); q.addEventListener('input', filter);
  q.addEventListener('keydown', e => { if (e.key === 'Enter') e.preventDefault(); if (e.key === 'Escape' && q.value) { e.preventDefault(); q.value = ''; filter(); } });
  if (q.value || only?.checked || kinds.some(k => k.checked)) filter();
  if (!form) return;

  const all = () => { groups.forEach(count); sum(); };
  const choose = set => {
    const want = new Set();
    for (const [, a, b = a] of set.dataset.in.matchAll(/(\d+)-?(\d+)?/g)) for (let i = +a; i <= +b; i++) want.add(i);
    for (const w of wilds) w.box.checked = false;
    held(); rows.forEach((x, i) => x.box.checked = want.has(i));
    all();
  };
  pick.addEventListener('change', e => {
    if (e.target === only || e.target.name === 'kind') return filter();
    if ('wild' in e.target.dataset) { held(); all(); }
    const g = groups.find(g => g.el.contains(e.target)); if (!g) return;
    if (e.target === g.box && !g.box.checked) for (const w of wilds) if (w.of.some(x => g.ms.includes(x))) w.box.checked = false;
    if (e.target === g.box) held();
    if (e.target === g.box) g.ms.forEach(x => { if (!x.off && !x.box.disabled) x.box.checked = g.box.checked; });
    count(g); sum();
    $('[name=set][value=custom]', form).checked = true;
  });
  form.addEventListener('change', e => { if (e.target.name === 'set' && e.target.dataset.in !== undefined) choose(e.target); });
  // A whole service goes as one field, a set as none: a thousand boxes would be 35 kB at every submit.
  form.addEventListener('formdata', e => {
    const d = e.formData; for (const name of ['m', 'service', 'mq', 'only', 'kind']) d.delete(name);
    if (d.get('set') !== 'custom') return;
    for (const w of wilds) if (w.box.checked) d.append('m', w.box.value);
    for (const g of groups) {
      const free = g.ms.filter(x => !x.box.disabled);
      if (g.c === g.ms.length && free.length === g.c) d.append('service', g.box.value); else for (const x of free) if (x.box.checked) d.append('m', x.box.value);
    }
  });
  pick.addEventListener('click', e => { const i = rails.indexOf(e.target.closest('.rail a')); if (i >= 0) groups[i].det.open = true; });
  for (const g of groups) if (g.box.checked && !filtered) for (const x of g.ms) x.box.checked = !x.box.disabled;
  const set = $('[name=set][data-in]:checked', form);
  if (set) choose(set); else all();
  addEventListener('pageshow', all);
  if (narrow && !filtered) for (const g of groups) if (!g.c) g.det.open = g.wasOpen = false;
};

// What differs from the saved token, in the bar below its form
const setUpChanges = out => {
  const form = out.closest('form'), rest = out.nextElementSibling;
  const fields = [['name', 'name'], ['description', 'description'], ['expires_at', 'expiry'], ['allow', 'resources'], ['ip_allow', 'addresses'], ['rate_per_minute', 'requests per minute'], ['enabled', 'enabled']];
  const named = (boxes, word) => boxes.length ? [`${boxes.length > 2 ? many(boxes.length, 'method', 'methods') : boxes.map(b => b.parentElement.textContent.trim()).join(', ')} ${word}`] : [];
  const tell = () => {
    const boxes = $$('.m input', form), of = [...named(boxes.filter(b => b.checked && !b.defaultChecked), 'added'), ...named(boxes.filter(b => !b.checked && b.defaultChecked), 'taken away')];
    for (const [id, word] of fields) { const el = $(`#${id}`, form); if (el?.form === form && (el.value !== el.defaultValue || el.checked !== el.defaultChecked)) of.push(`${word} changed`); }
    out.hidden = !of.length; rest.hidden = !!of.length;
    $('b', out).textContent = many(of.length, 'change', 'changes') + ':'; out.lastElementChild.textContent = `${of.join(', ')}.`;
  };
  form.addEventListener('input', tell); form.addEventListener('change', tell);
  tell();
};

const init = () => {
  for (const [s, f] of [['[data-table]', setUpTable], ['[data-pick]', setUpPicker], ['[data-changes]', setUpChanges]])
    for (const el of $$(s)) if (!el.dataset.ready) { el.dataset.ready = ''; f(el); }
};
init();
$('[data-press]')?.click();  // signed in again: on with the form that was kept

// 3. Dialog: htmx fills it, this opens it; what was typed in it goes with it
let opener;
on('click', e => { const b = e.target.closest('button,a'); if (b && !b.closest('dialog')) opener = b; }, true);
on('close', e => { if (e.target.id === 'dlg') { e.target.replaceChildren(); opener?.isConnected && opener.focus(); } }, true);
if (!('commandForElement' in HTMLButtonElement.prototype))  // Safari < 26.2, Firefox < 144
  on('click', e => { const b = e.target.closest('button[command=close]'); if (b) document.getElementById(b.getAttribute('commandfor')).close(); });

on('htmx:afterSwap', e => {
  // Going back in the history swaps the whole page, and names no target.
  const target = e.detail.target || document.body, dlg = $('#dlg'), hint = $('#expiry');
  if (target === dlg) { if (dlg.childElementCount && !dlg.open) dlg.showModal(); $('[autofocus]', dlg)?.focus(); }
  else if (target.id === 'expiry') { $('#expires_at').value = hint.dataset.date; if (!hint.closest('#regenerate')) { $('.act [data-short]').textContent = hint.dataset.short; hint.closest('form').dispatchEvent(new Event('input')); } }
  else { if (dlg?.open) dlg.close(); init(); scrollTo(0, 0); $('[data-focus]')?.focus(); }
});
on('input', e => {  // what is set by hand is no preset
  if (e.target.id === 'expires_at') $('#lifetime').value = 'custom';
  if (e.target.id === 'previous_expires_at') $('#grace-custom').checked = true;
});

// 4. Requests that fail: say so where the eye is
const say = text => {
  const dlg = $('#dlg[open] .dlg'), note = $('#oops').content.cloneNode(true).firstElementChild;
  $('p', note).textContent = text; note.dataset.oops = '';
  (dlg || $('#page')).prepend(note); note.scrollIntoView({ block: 'nearest' });
};
for (const type of ['htmx:sendError', 'htmx:timeout', 'htmx:responseError']) on(type, e => {
  const page = new DOMParser().parseFromString(e.detail.xhr.responseText, 'text/html');
  say($('[data-error]', page)?.textContent || 'The server did not answer. Look whether the change was made before you try again.');
});
on('htmx:beforeRequest', e => { $$('[data-oops]').forEach(n => n.remove()); const el = e.detail.elt.closest('.panel,dialog'); if (el) el.ariaBusy = 'true'; });
on('htmx:afterRequest', () => $$('[aria-busy]').forEach(el => el.ariaBusy = null));

// 5. The value: copied on demand, wiped when the page is left (a page kept for the back button would still show it)
on('click', async e => {
  const b = e.target.closest('[data-copy]'); if (!b) return;
  const el = $(b.dataset.copy), l = $('[data-label]', b);
  try { await navigator.clipboard.writeText(el.value ?? el.textContent); }
  catch { el.select ? el.select() : getSelection().selectAllChildren(el); document.execCommand('copy'); }  // plain HTTP has no clipboard
  l.textContent = 'Copied'; setTimeout(() => l.textContent = 'Copy', 2000);
});
const wipe = () => $$('[data-secret]').forEach(el => { el.value = el.defaultValue = el.textContent = ''; $('[data-wiped]').hidden = false; });
addEventListener('pagehide', wipe);
addEventListener('pageshow', e => { if (e.persisted) wipe(); });

// 6. Theme, and two keys
const themes = { auto: ['light', 'contrast'], light: ['dark', 'sun'], dark: ['auto', 'moon'] };
on('submit', e => {
  if (!e.target.matches('[data-theme-switch]')) return;
  const field = $('[name=theme]', e.target), now = field.value, [next, icon] = themes[now], b = $('button', e.target), use = $('use', b);
  document.documentElement.dataset.theme = now;
  use.setAttribute('href', use.getAttribute('href').replace(/#.*/, '#' + icon));
  b.title = `Colour theme: ${now}`; b.setAttribute('aria-label', `${b.title}. Switch to ${next}`); field.value = next;
});
on('keydown', e => {
  if (e.key === 'Escape' && location.hash === '#nav') location.hash = 'main';
  if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || $('dialog[open]') || e.target.matches('input:not([type=checkbox],[type=radio]),textarea,select')) return;
  const s = $('[data-q]') || $('[data-search]'); if (s) { e.preventDefault(); s.focus(); }
});

// The browser's time zone, told once at sign-in: without it dates are in UTC until the profile says otherwise.
for (const field of document.querySelectorAll('[data-zone]')) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || '';

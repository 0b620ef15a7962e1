// The demo page: a knowledge platform and a partner's shop side by side. Clicks are real events; the list on the right
// is pushed by the service.

const WORDS = {
  zh: {
    claim: '在左边学一门课，看右边的推荐当场改变。',
    person: '扮演', visitor: '新访客（没有任何记录）', past: '最近的行为', none: '还没有。点一下下面的任意一项。',
    shelf: '点一下，就像刚刚用过它', log: '发生了什么', leftDomain: '左边的领域', rightDomain: '右边的领域', swap: '左右互换',
    did: (title) => `用过“${title}”，已存盘`, use: '用过', fresh: (ms) => `右边收到新推荐，距点击 ${ms} 毫秒`,
    same: '推荐没有变化', clicked: (title) => `在右边点击了“${title}”`, dismissed: (title) => `对“${title}”不感兴趣`,
    known: (user, events, elsewhere) => `${user}：${events} 条记录${elsewhere ? '，两边都有账号' : ''}`, failed: '出错了：',
  },
  en: {
    claim: 'Take a course on the left and watch the recommendations on the right change at once.',
    person: 'You are', visitor: 'a new visitor (no history)', past: 'Done lately', none: 'Nothing yet. Click anything below.',
    shelf: 'Click one, as if you had just used it', log: 'What happened', leftDomain: 'Domain on the left',
    rightDomain: 'Domain on the right', swap: 'Swap sides',
    did: (title) => `Used “${title}”; stored`, use: 'Used', fresh: (ms) => `A new list arrived on the right ${ms} ms after the click`,
    same: 'The list stays as it is', clicked: (title) => `Clicked “${title}” on the right`,
    dismissed: (title) => `Not interested in “${title}”`,
    known: (user, events, elsewhere) => `${user}: ${events} rows${elsewhere ? ', known on both sides' : ''}`, failed: 'Something failed: ',
  },
};
const VISITOR = 'visitor-' + crypto.randomUUID().slice(0, 8);
const MOST_LINES = 6;
const QUIET_MS = 2500;
const get = (id) => document.getElementById(id);
const slot = get('slot');
let language = navigator.language.startsWith('zh') ? 'zh' : 'en';
let world = null;
let left = 0;
let right = 1;
let user = '';
let clickedAt = 0;
let quiet = 0;

const words = () => WORDS[language];
const side = () => world.sides[left];

function element(name, text = '', kind = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  return made;
}

async function json(path, body) {
  const headers = { 'Accept-Language': language };
  const options = body && { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(path, { headers, ...options });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error ?? answer.statusText);
  return content;
}

function say(text) {
  const line = element('li');
  line.append(element('time', new Date().toLocaleTimeString(language, { hour12: false })), element('span', text));
  get('log').prepend(line);
  while (get('log').children.length > MOST_LINES) get('log').lastElementChild.remove();
}

/** Everything anew, in the language. */
async function show() {
  world = await json('/demo/world.json?lang=' + language);
  right = Math.min(right, world.sides.length - 1);
  document.documentElement.lang = language;
  document.title = `kuajie 跨界: ${world.name}`;
  for (const place of document.querySelectorAll('[data-say]')) place.textContent = words()[place.dataset.say];
  for (const place of document.querySelectorAll('[data-name]')) place.ariaLabel = place.title = words()[place.dataset.name];
  for (const button of document.querySelectorAll('[data-language]')) {
    button.ariaPressed = String(button.dataset.language === language);
  }
  sides();
}

function sides() {
  for (const [id, chosen, other] of [['left', left, right], ['right', right, left]]) {
    get(id + '-title').textContent = world.sides[chosen].title;
    const options = world.sides.map(({ title }, place) => new Option(title, place, false, place === chosen));
    options[other].disabled = chosen !== other;
    get(id).replaceChildren(...options);
    get(id).hidden = world.sides.length < 3;
  }
  get('swap').hidden = left === right;
  const people = side().people.map(({ user: id, events, elsewhere }) => new Option(words().known(id, events, elsewhere), id));
  get('person').replaceChildren(...people, new Option(words().visitor, VISITOR));
  if (![...get('person').options].some((option) => option.value === user)) user = get('person').value;
  get('person').value = user;
  shelf();
  for (const [name, value] of Object.entries({ domain: side().domain, target: world.sides[right].domain, user, locale: language })) {
    slot.setAttribute(name, value);
  }
  past();
}

function shelf() {
  const price = (value) => (value === null ? '' : new Intl.NumberFormat(language, { style: 'currency', currency: 'CNY', currencyDisplay: 'narrowSymbol', maximumFractionDigits: 0 }).format(value));
  get('shelf').replaceChildren(...side().items.map((item) => {
    const card = element('button', '', 'card');
    card.type = 'button';
    const foot = element('span');
    foot.append(element('i', item.category), element('em', price(item.price)));
    card.append(element('b', item.title), foot);
    card.dataset.item = item.item;
    card.addEventListener('click', () => use(item, card, foot));
    const place = element('li');
    place.append(card);
    return place;
  }));
}

async function use(item, card, foot) {
  clickedAt = performance.now();
  card.classList.add('done');
  foot.lastElementChild.textContent = '✓ ' + words().use;
  try {
    const event = { event_id: 'demo-' + crypto.randomUUID(), domain: side().domain, user, item: item.item, kind: 'purchase' };
    await json('/v1/events', { events: [event] });
    say(words().did(item.title));
    clearTimeout(quiet);
    quiet = setTimeout(() => clickedAt && say(words().same), QUIET_MS);
    await past();
  } catch (error) {
    say(words().failed + error.message);
  }
}

/** What the person did lately, from their profile; a visitor has none until the first event. */
async function past() {
  const path = `/v1/people/${encodeURIComponent(side().domain)}/${encodeURIComponent(user)}/profile`;
  const { recent } = await json(path);
  const chips = recent.filter(({ domain }) => domain === side().domain).slice(0, 6).map((used) => element('li', used.title));
  get('past').replaceChildren(...(chips.length ? chips : [element('li', words().none, 'none')]));
}

slot.addEventListener('kj-list', () => {
  if (clickedAt) say(words().fresh(Math.round(performance.now() - clickedAt)));
  clickedAt = 0;
});
slot.addEventListener('kj-click', ({ detail }) => {
  clickedAt = performance.now();
  say(words().clicked(detail.title));
});
slot.addEventListener('kj-dismiss', ({ detail }) => say(words().dismissed(detail.title)));
slot.addEventListener('kj-error', ({ detail }) => say(words().failed + detail.message));
get('person').addEventListener('change', ({ target }) => {
  user = target.value;
  clickedAt = 0;
  sides();
});
for (const id of ['left', 'right']) {
  get(id).addEventListener('change', ({ target }) => {
    if (id === 'left') left = Number(target.value);
    else right = Number(target.value);
    sides();
  });
}
get('swap').addEventListener('click', () => {
  [left, right] = [right, left];
  sides();
});
for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    language = button.dataset.language;
    show();
  });
}
show().catch((error) => say(words().failed + error.message));

import { suite } from '../harness/suite.js';
import { checkFormatPages, checkLinks, checkTitles } from './documents.js';
import { finds } from './planted.js';

const { test, run } = suite('Documents');

test('have one title, which comes first', () => {
  const files = {
    'docs/good.md': '# Good\n\n```sh\n# a comment\n```\n',
    'docs/none.md': 'text\n',
    'docs/two.md': '# One\n# Two\n',
    'docs/late.md': 'text\n# Late\n',
  };
  finds(checkTitles, files, [
    ['docs/none.md:1', 'has 0 titles'],
    ['docs/two.md:1', 'has 2 titles'],
    ['docs/late.md:1', 'has 1 titles'],
  ]);
});

test('link to files, folders and headings that exist', () => {
  const good = '[a](sub/b.md) [c](sub) [d](https://example.org/x) [e](#one--two) `[f](g)`';
  const files = {
    'docs/a.md': `# A\n${good}\n## One & \`two\`\n`,
    'docs/sub/b.md': '# B\n[up](../a.md#a)\n[lost](c.md)\n[no](../a.md#b)\n',
  };
  finds(checkLinks, files, [
    ['docs/sub/b.md:3', 'docs/sub/c.md, which does not exist'],
    ['docs/sub/b.md:4', 'no heading'],
  ]);
});

test('on formats are named by the code, which names no other', () => {
  const files = {
    'src/a.ts': '// see docs/formats/ring.md and docs/formats/gone.md',
    'docs/formats/ring.md': '# Ring\n',
    'docs/formats/alone.md': '# Alone\n',
  };
  finds(checkFormatPages, files, [
    ['src/a.ts:1', 'names docs/formats/gone.md'],
    ['docs/formats/alone.md:1', 'named by no file'],
  ]);
});

run();

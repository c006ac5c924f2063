// Answers of many patients at once: node examples/client.mjs [HOST:PORT]
// Start a server first: npm start
import { connect } from 'stormkv/client';

const kv = connect({ endpoints: [process.argv[2] ?? '127.0.0.1:8081'] });

// Nobody has to think about batches: calls of one moment travel together.
const started = performance.now();
const patients = Array.from({ length: 2000 }, (_, i) => `patient-${i}`);
await Promise.all(
  patients.flatMap((patient) =>
    Array.from({ length: 20 }, (_, question) =>
      kv.set(`{${patient}}/q${question}`, `answer ${question}`),
    ),
  ),
);
const seconds = (performance.now() - started) / 1000;
console.log(`40000 answers are durable after ${seconds.toFixed(2)} s`);

// A form is written whole or not at all: its keys share a {tag}.
const { written, errors } = await kv.batch([
  { key: '{patient-1}/form/name', value: 'PHQ-9' },
  { key: '{patient-1}/form/score', value: '7' },
]);
console.log(`${written} written, ${errors.length} refused`);

for await (const { key, value } of kv.scan({ prefix: '{patient-1}/form/' })) {
  console.log(key, '=', value.toString());
}

await kv.close();

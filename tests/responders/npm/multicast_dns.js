// Answers for a name and these addresses with multicast-dns: multicast_dns.js NAME.local ADDRESS...
// Prints "ready" when it listens, then answers until it is killed. The package leaves the choice of the records to its
// user: these are the ones of the queried type.
"use strict";

const net = require("net");
const multicastDns = require("multicast-dns");

const [name, ...addresses] = process.argv.slice(2);
const responder = multicastDns();
const records = addresses.map((data) => ({ name, type: net.isIPv6(data) ? "AAAA" : "A", ttl: 120, data }));
responder.on("query", (query) => {
  const asked = (record) => query.questions.some(({ name, type }) => name === record.name && type === record.type);
  const answers = records.filter(asked);
  if (answers.length > 0) responder.respond(answers);
});
responder.on("ready", () => console.log("ready"));

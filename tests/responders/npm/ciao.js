// Registers this machine's addresses under a name with @homebridge/ciao: ciao.js NAME.local
// Says "ready" once it has announced itself, then answers until it is killed.
"use strict";

const os = require("os");
const ciao = require("@homebridge/ciao");

// Left to itself it takes only interfaces on which the machine has neighbours already.
const interfaces = Object.entries(os.networkInterfaces()).filter(([, all]) => !all[0].internal);
const responder = ciao.getResponder({ interface: interfaces.map(([name]) => name) });
const hostname = process.argv[2].replace(/\.local$/, "");
// Without a TXT record it takes its own announcement, looped back, for a conflict, for ever.
const txt = { host: hostname };
const service = responder.createService({ name: hostname, type: "discard", port: 9, hostname, txt });
service.advertise().then(() => console.log("ready"));

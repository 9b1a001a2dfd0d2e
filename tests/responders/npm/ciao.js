// Registers this machine's addresses under a name with @homebridge/ciao: ciao.js NAME.local
// Prints "ready" once the host has been announced, then answers until it is killed.
"use strict";

const os = require("os");
const ciao = require("@homebridge/ciao");

// By default, ciao uses only interfaces on which the machine already has neighbours.
const interfaces = Object.entries(os.networkInterfaces()).filter(([, all]) => !all[0].internal);
const responder = ciao.getResponder({ interface: interfaces.map(([name]) => name) });
const hostname = process.argv[2].replace(/\.local$/, "");
// Without a TXT record, ciao takes its own looped-back announcement for a conflict and probes endlessly.
const txt = { host: hostname };
const service = responder.createService({ name: hostname, type: "discard", port: 9, hostname, txt });
service.advertise().then(() => console.log("ready"));

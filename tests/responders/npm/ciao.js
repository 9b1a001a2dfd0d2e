// Registers this machine's addresses under a name with @homebridge/ciao: ciao.js NAME.local
// Says "ready" once it has announced itself, then answers until it is killed.
"use strict";

const ciao = require("@homebridge/ciao");

const hostname = process.argv[2].replace(/\.local$/, "");
const service = ciao.getResponder().createService({ name: "host", type: "discard", port: 9, hostname });
service.advertise().then(() => console.log("ready"));

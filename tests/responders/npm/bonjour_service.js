// Registers this machine's addresses under a name with bonjour-service: bonjour_service.js NAME.local
// Prints "ready" once the host has been announced, then answers until it is killed.
"use strict";

const { Bonjour } = require("bonjour-service");

const host = process.argv[2];
const service = new Bonjour().publish({ name: host.replace(/\.local$/, ""), type: "discard", port: 9, host });
service.on("up", () => console.log("ready"));

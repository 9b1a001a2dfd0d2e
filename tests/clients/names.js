// names.js NAME: prints the addresses of a host, one per line, and then the page that it serves.
const dns = require('node:dns');
const http = require('node:http');

const name = process.argv[2];

function fail(error) {
    console.error(`${error}`);
    process.exit(1);
}

dns.lookup(name, { all: true }, (error, found) => {
    if (error) fail(error);
    for (const { address } of found) console.log(address);
    const request = http.get(`http://${name}/`, (response) => response.pipe(process.stdout));
    request.on('error', fail);
});

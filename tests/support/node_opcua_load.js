// A plant that writes every tag once a second (node-opcua): `node node_opcua_load.js PORT TAGS SENSORS`, in a folder
// with node_modules. As `live_load.py`, whose values these are: it prints "ready", then the instant of each second, ms,
// once all of its values are written; it ends with its standard input.
"use strict";
const path = require("path");
const load = (name) => require(path.join(process.cwd(), "node_modules", name));
const { OPCUAServer } = load("node-opcua-server");
const { StatusCodes } = load("node-opcua-status-code");
const { DataType, Variant } = load("node-opcua-variant");

const say = (line) => process.stdout.write(`${line}\n`);
console.log = console.info = console.warn = console.error; // the server's own messages

const [port, tags, sensors] = process.argv.slice(2).map(Number);
const AT_ONCE = 500; // values written before the network gets its turn

async function serve() {
  const server = new OPCUAServer({
    port,
    host: "127.0.0.1",
    resourcePath: "/plant",
    serverCapabilities: { maxMonitoredItems: 10 * tags, maxMonitoredItemsPerSubscription: 10 * tags },
  });
  await server.initialize();
  const namespace = server.engine.addressSpace.registerNamespace("urn:test:load");
  const folder = namespace.addFolder(server.engine.addressSpace.rootFolder.objects, { browseName: "Plant" });
  const nodes = [];
  for (let number = 0; number < tags; number++) {
    const name = `p${Math.floor(number / sensors)}.s${number % sensors}`;
    nodes.push(namespace.addVariable({ componentOf: folder, nodeId: `s=${name}`, browseName: name, dataType: "Double" }));
  }
  await server.start();
  say("ready");
  let ended = false;
  process.stdin.on("end", () => (ended = true)).resume();
  let at = Math.floor(Date.now() / 1000) + 1;
  while (!ended) {
    await new Promise((next) => setTimeout(next, Math.max(0, at * 1000 - Date.now())));
    const second = Math.max(at, Math.floor(Date.now() / 1000));
    const when = new Date(second * 1000);
    for (let number = 0; number < tags; number++) {
      const value = (second % 1000) + number / 16;
      nodes[number].setValueFromSource(new Variant({ dataType: DataType.Double, value }), StatusCodes.Good, when);
      if (number % AT_ONCE === AT_ONCE - 1) await new Promise(setImmediate);
    }
    say(second * 1000);
    at = second + 1;
  }
  await new Promise((next) => setTimeout(next, 2000)); // for the last publications
  process.exit(0);
}

serve().catch((error) => {
  console.error(error);
  process.exit(1);
});

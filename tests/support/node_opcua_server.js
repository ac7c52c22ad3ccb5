// A real OPC UA server (node-opcua) with history: `node node_opcua_server.js SPEC.json`, in a folder with node_modules.
//
// The spec: {"port", "folder": where it keeps its certificates, "nodes": {name: [[ts ms, value, status code]]}, "users":
// {name: password}, "most_nodes": per query}. Nodes are in a folder "Plant".
"use strict";
const fs = require("fs");
const path = require("path");
const load = (name) => require(path.join(process.cwd(), "node_modules", name));
const { OPCUAServer } = load("node-opcua-server");
const { OPCUACertificateManager } = load("node-opcua-certificate-manager");
const { MessageSecurityMode, SecurityPolicy } = load("node-opcua-secure-channel");
const { StatusCodes, coerceStatusCode } = load("node-opcua-status-code");
const { DataType, Variant } = load("node-opcua-variant");

async function serve(spec) {
  const manager = (name) =>
    new OPCUACertificateManager({
      rootFolder: path.join(spec.folder, name),
      automaticallyAcceptUnknownCertificate: false,
    });
  const serverCertificateManager = manager("pki");
  const userCertificateManager = manager("users");
  await serverCertificateManager.initialize();
  await userCertificateManager.initialize();
  const server = new OPCUAServer({
    port: spec.port,
    host: "127.0.0.1",
    resourcePath: "/plant",
    serverCertificateManager,
    userCertificateManager,
    allowAnonymous: true,
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [
      SecurityPolicy.None,
      SecurityPolicy.Basic256Sha256,
      SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    userManager: { isValidUser: (name, password) => (spec.users || {})[name] === password },
    serverCapabilities: { operationLimits: { maxNodesPerHistoryReadData: spec.most_nodes || 0 } },
  });
  await server.initialize();
  const addressSpace = server.engine.addressSpace;
  const namespace = addressSpace.registerNamespace("urn:test:plant");
  const folder = namespace.addFolder(addressSpace.rootFolder.objects, { browseName: "Plant" });
  for (const [name, values] of Object.entries(spec.nodes)) {
    const node = namespace.addVariable({
      componentOf: folder,
      nodeId: `s=${name}`,
      browseName: name,
      dataType: "Double",
      accessLevel: "CurrentRead | HistoryRead",
      userAccessLevel: "CurrentRead | HistoryRead",
    });
    addressSpace.installHistoricalDataNode(node, { maxOnlineValues: 1000000 });
    for (const [ts, value, status] of values) {
      const variant = new Variant({ dataType: DataType.Double, value });
      node.setValueFromSource(variant, status ? coerceStatusCode({ value: status }) : StatusCodes.Good, new Date(ts));
    }
  }
  await server.start();
  console.log("ready");
}

serve(JSON.parse(fs.readFileSync(process.argv[2], "utf8"))).catch((error) => {
  console.error(error);
  process.exit(1);
});

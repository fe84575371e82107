// Calls our chaincode through Hyperledger Fabric's official client.
//
//   node client.mjs NETWORK_JSON ORGANISATION run CLIENTS [CHAINCODE]
//
// Takes calls as lines of JSON and gives an answer for each, at most so many at a time. README.md has the fields.

import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import * as grpc from '@grpc/grpc-js';
import { connect, hash, signers } from '@hyperledger/fabric-gateway';

const MESSAGE_BYTES_MAX = 100 << 20;
const after = (seconds) => () => ({ deadline: Date.now() + seconds * 1000 });
const bytes = (text) => Buffer.from(text, 'base64');

function member(path, name) {
    const network = JSON.parse(readFileSync(path, 'utf8'));
    const found = network.organisations.find((organisation) => organisation.id === name);
    if (!found) throw new Error(`${path} does not describe ${name}`);
    const read = (file) => readFileSync(resolve(dirname(path), file));
    return { network, found, read };
}

function open(path, name, chaincode) {
    const { network, found, read } = member(path, name);
    const [peer] = found.peers;
    const { certificate, key, tls_certificate, tls_key } = found.node;
    const tls = grpc.credentials.createSsl(read(found.tls_root), read(tls_key), read(tls_certificate));
    const client = new grpc.Client(peer.address, tls, {
        'grpc.ssl_target_name_override': peer.server_name,
        'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
        'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    });
    const gateway = connect({
        client,
        identity: { mspId: found.id, credentials: read(certificate) },
        signer: signers.newPrivateKeySigner(createPrivateKey(read(key))),
        hash: hash.sha256,
        evaluateOptions: after(30),
        endorseOptions: after(30),
        submitOptions: after(30),
        commitStatusOptions: after(60),
    });
    return { channel: gateway.getNetwork(network.channel), chaincode: chaincode ?? network.chaincode, close() { gateway.close(); client.close(); } };
}

function proposalOf(contract, call) {
    const transient = Object.entries(call.transient ?? {}).map(([name, value]) => [name, bytes(value)]);
    return contract.newProposal(call.function, {
        arguments: (call.arguments ?? []).map(bytes),
        transientData: Object.fromEntries(transient),
        endorsingOrganizations: call.endorsers?.length ? call.endorsers : undefined,
    });
}

async function answer(contract, call) {
    const proposal = proposalOf(contract, call);
    if (call.kind === 'evaluate') return { result: await proposal.evaluate() };
    const transaction = await proposal.endorse();
    const commit = await transaction.submit();
    const status = await commit.getStatus();
    if (!status.successful) throw new Error(`transaction ${status.transactionId} is invalid, code ${status.code}`);
    return { result: transaction.getResult(), transaction: status.transactionId, block: String(status.blockNumber) };
}

async function run(contract, call) {
    const begun = performance.now();
    try {
        const done = await answer(contract, call);
        const result = Buffer.from(done.result).toString('base64');
        return { id: call.id, ok: true, ...done, result, milliseconds: performance.now() - begun };
    } catch (error) {
        const { message, code, details = [] } = error;
        return { id: call.id, ok: false, error: message, code, details: Array.isArray(details) ? details : [] };
    }
}

async function serve(connection, clients) {
    const contract = connection.channel.getContract(connection.chaincode);
    const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
    await connection.channel.getContract('qscc').evaluateTransaction('GetChainInfo', connection.channel.getName());
    say({ ready: true });
    const waiting = [];
    let underWay = 0;
    const next = async () => {
        while (underWay < clients && waiting.length > 0) {
            underWay += 1;
            run(contract, waiting.shift()).then((line) => {
                say(line);
                underWay -= 1;
                if (waiting.length === 0 && underWay === 0) idle();
                next();
            });
        }
    };
    let idle = () => {};
    for await (const line of createInterface({ input: process.stdin })) {
        waiting.push(JSON.parse(line));
        next();
    }
    if (underWay > 0) await new Promise((done) => { idle = done; });
    connection.close();
}

const [path, name, mode, clients, chaincode] = process.argv.slice(2);
if (mode !== 'run' || !(Number(clients) > 0)) {
    console.error('usage: node client.mjs NETWORK_JSON ORGANISATION run CLIENTS [CHAINCODE]');
    process.exit(2);
}
let connection;
try {
    connection = open(path, name, chaincode);
} catch (error) {
    console.error(error.message);
    process.exit(2);
}
serve(connection, Number(clients)).catch((error) => {
    console.error(error.message);
    process.exit(1);
});

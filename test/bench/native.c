/* A batch of one operation of libsecp256k1 for each line "gmul N" or "verify N"; answers the nanoseconds it took. */
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void) {
    secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    unsigned char seed[32], secret[32], message[32], sig[64], x[32], out[33];
    secp256k1_keypair pair;
    secp256k1_xonly_pubkey xonly;
    char op[16];
    long count;
    FILE *random = fopen("/dev/urandom", "rb");
    if (!random || fread(seed, 32, 1, random) != 1 || fread(secret, 32, 1, random) != 1 ||
        fread(message, 32, 1, random) != 1)
        return 1;
    fclose(random);
    if (!secp256k1_context_randomize(ctx, seed) || !secp256k1_keypair_create(ctx, &pair, secret) ||
        !secp256k1_keypair_xonly_pub(ctx, &xonly, NULL, &pair) ||
        !secp256k1_xonly_pubkey_serialize(ctx, x, &xonly) ||
        !secp256k1_schnorrsig_sign32(ctx, sig, message, &pair, NULL))
        return 1;
    while (scanf("%15s %ld", op, &count) == 2) {
        long long from = now();
        int good = 1;
        for (long i = 0; i < count; i++) {
            if (strcmp(op, "gmul") == 0) {
                secp256k1_pubkey point;
                size_t length = sizeof out;
                good &= secp256k1_ec_pubkey_create(ctx, &point, secret);
                good &= secp256k1_ec_pubkey_serialize(ctx, out, &length, &point, SECP256K1_EC_COMPRESSED);
            } else {
                secp256k1_xonly_pubkey key;
                good &= secp256k1_xonly_pubkey_parse(ctx, &key, x);
                good &= secp256k1_schnorrsig_verify(ctx, sig, message, 32, &key);
            }
        }
        if (!good) return 1;
        printf("%lld\n", now() - from);
        fflush(stdout);
    }
    return 0;
}

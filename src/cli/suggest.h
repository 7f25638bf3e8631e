/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * suggest.h - "did you mean": the nearest word by Damerau-Levenshtein distance.
 */
#include "base/str.h"

enum { SUGGEST_DISTANCE_MAX = 2, SUGGEST_WORD_MAX = 128 };

/*
 * Insertions, deletions, substitutions and swaps of neighbours between two texts, bytewise and
 * without regard to ASCII case. Anything beyond SUGGEST_WORD_MAX bytes is as far as can be.
 */
unsigned suggest_distance(struct str a, struct str b);

/* Keeps the nearest of the words it is offered, if one is near enough. */
struct suggest {
    struct str wanted;
    struct str best; /* data == NULL: none. Borrowed from the caller of suggest_offer. */
    unsigned distance;
};
struct suggest suggest_for(struct str wanted);
void suggest_offer(struct suggest *suggest, struct str word);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzz target over the files of a folder, without a fuzzer.
 *
 * usage: NAME_fuzz FOLDER
 *
 * Every input that was worth keeping is run again in every build, and counted: the output is TAP,
 * one case per file. An empty or missing folder is a failure, for it would prove nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns the bytes in heap memory of exactly their size, so that a sanitizer sees the end. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    long size = ftell(file);
    rewind(file);
    uint8_t *bytes = size < 0 ? NULL : malloc(size == 0 ? 1 : (size_t)size);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    *ret_size = (size_t)size;
    return bytes;
}

static void run_file(const char *folder, const char *name, int number)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    size_t size = 0;
    uint8_t *bytes = read_file(path, &size);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    printf("ok %d - %s\n", number, name);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, NULL, alphasort);
    int done = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            run_file(argv[1], entries[i]->d_name, ++done);
        }
        free(entries[i]);
    }
    free(entries);
    if (done == 0) {
        printf("not ok 1 - %s has no inputs\n", argv[1]);
    }
    printf("1..%d\n", done == 0 ? 1 : done);
    return done == 0;
}

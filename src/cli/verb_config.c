/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_config.c - tarn config show.
 */
#include "cli/args.h"
#include "cli/print.h"
#include "cli/settings.h"

int cli_config_show(struct cli *cli)
{
    static const char *const titles[] = {"setting", "value", "origin"};
    struct print_table table;
    struct diag diag = {.count = 0};
    struct settings *settings = ARENA_NEW(cli->arena, struct settings);
    char value[SETTINGS_VALUE_MAX];
    if (settings == NULL)
        return CLI_FAILURE;
    status_value loaded = settings_load(cli, &diag, settings);
    if (!is_ok(loaded))
        return print_status(cli, loaded, &diag, NULL);
    bool origin = args_has(cli->args, "origin");
    table_init(&table, cli, titles, origin ? 3 : 2);
    for (size_t i = 0; settings_flag(i) != NULL; i++) {
        settings_value_text(settings, i, value);
        const struct str cells[3] = {str_from(settings_flag(i)->name),
                                     arena_copy(cli->arena, str_from(value)),
                                     str_from(settings->origins[i])};
        table_row(&table, cells);
    }
    return table_print(&table);
}

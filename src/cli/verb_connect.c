/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_connect.c - tarn connect: what an engine needs to use this catalog, ready to paste.
 *
 * Nothing is asked of the catalog: the text can be made before the node runs. In each text @URI@
 * and @WAREHOUSE@ are replaced; both are checked to hold nothing that would need quoting.
 */
#include "cli/args.h"
#include "cli/client.h"

#include <stdlib.h>

struct engine {
    const char *name;
    const char *text;
};

static const struct engine engines[] = {
    {"pyiceberg",
     "# Python: pip install \"pyiceberg[pyarrow]\"\n"
     "from pyiceberg.catalog import load_catalog\n"
     "\n"
     "catalog = load_catalog(\n"
     "    \"tarn\",\n"
     "    **{\"type\": \"rest\", \"uri\": \"@URI@\", \"warehouse\": \"@WAREHOUSE@\"},\n"
     ")\n"
     "print(catalog.list_namespaces())\n"},
    {"duckdb",
     "-- DuckDB 1.4 or newer\n"
     "INSTALL httpfs; LOAD httpfs;\n"
     "INSTALL avro; LOAD avro;\n"
     "INSTALL iceberg; LOAD iceberg;\n"
     "ATTACH '@WAREHOUSE@' AS lake (TYPE iceberg, ENDPOINT '@URI@', AUTHORIZATION_TYPE 'none');\n"
     "SHOW ALL TABLES;\n"},
    {"spark", "# Spark 4.0; the tables are in catalog `lake`: SELECT * FROM lake.NAMESPACE.TABLE\n"
              "spark-sql \\\n"
              "  --packages org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0 \\\n"
              "  --conf spark.sql.extensions="
              "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions \\\n"
              "  --conf spark.sql.catalog.lake=org.apache.iceberg.spark.SparkCatalog \\\n"
              "  --conf spark.sql.catalog.lake.type=rest \\\n"
              "  --conf spark.sql.catalog.lake.uri=@URI@ \\\n"
              "  --conf spark.sql.catalog.lake.warehouse=@WAREHOUSE@ \\\n"
              "  --conf spark.sql.defaultCatalog=lake\n"},
    {"trino", "# etc/catalog/lake.properties\n"
              "connector.name=iceberg\n"
              "iceberg.catalog.type=rest\n"
              "iceberg.rest-catalog.uri=@URI@\n"
              "iceberg.rest-catalog.warehouse=@WAREHOUSE@\n"
              "iceberg.rest-catalog.nested-namespace-enabled=true\n"
              "# tables in a local folder, which every Trino node must see\n"
              "fs.hadoop.enabled=true\n"},
    {"flink", "-- Flink SQL, with iceberg-flink-runtime on the class path\n"
              "CREATE CATALOG lake WITH (\n"
              "  'type' = 'iceberg',\n"
              "  'catalog-type' = 'rest',\n"
              "  'uri' = '@URI@',\n"
              "  'warehouse' = '@WAREHOUSE@'\n"
              ");\n"
              "USE CATALOG lake;\n"},
};

/* Quotes, blanks and backslashes mean something else in each of the engines' languages. */
static bool is_plain(const char *text)
{
    return text[0] != 0 && strpbrk(text, " \t\r\n'\"\\`$") == NULL;
}

static void print_text(FILE *out, const char *text, const char *uri, const char *warehouse)
{
    while (*text != 0) {
        size_t plain = strcspn(text, "@");
        (void)fwrite(text, 1, plain, out);
        text += plain;
        if (strncmp(text, "@URI@", 5) == 0) {
            fputs(uri, out);
            text += 5;
        } else if (strncmp(text, "@WAREHOUSE@", 11) == 0) {
            fputs(warehouse, out);
            text += 11;
        } else if (*text == '@') {
            fputc(*text++, out);
        }
    }
}

static void print_as_json(struct cli *cli, const struct engine *engine, const char *uri,
                          const char *warehouse)
{
    char *text = NULL;
    size_t size = 0;
    struct buf json;
    struct json_writer w;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL)
        return;
    print_text(memory, engine->text, uri, warehouse);
    (void)fclose(memory);
    buf_init(&json, cli->arena, SIZE_MAX);
    json_writer_init(&w, &json);
    jw_object(&w);
    jw_key(&w, "engine");
    jw_cstr(&w, engine->name);
    jw_key(&w, "uri");
    jw_cstr(&w, uri);
    jw_key(&w, "warehouse");
    jw_cstr(&w, warehouse);
    jw_key(&w, "text");
    jw_str(&w, (struct str){text, size});
    jw_end(&w);
    print_json(cli, buf_view(&json));
    mem_free(text);
}

int cli_connect(struct cli *cli)
{
    const char *uri = client_uri(cli);
    const char *warehouse = args_get(cli->args, "warehouse");
    if (warehouse == NULL)
        warehouse = getenv("TARN_WAREHOUSE");
    if (warehouse == NULL)
        warehouse = "lake";
    if (!is_plain(uri) || !is_plain(warehouse))
        return print_problem(cli, CLI_USAGE, "the address or the warehouse cannot be pasted safely",
                             "one of them is empty, or holds a blank, a quote, a backslash or a $",
                             "check --uri and --warehouse");
    for (size_t i = 0; i < COUNTOF(engines); i++) {
        if (strcmp(engines[i].name, cli->args->words[0]) != 0)
            continue;
        if (cli->format == CLI_JSON)
            print_as_json(cli, &engines[i], uri, warehouse);
        else
            print_text(cli->out, engines[i].text, uri, warehouse);
        return CLI_OK;
    }
    return print_no_choice(cli, "engine");
}
